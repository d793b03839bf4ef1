/* Exports a pointer to every public struct. libabigail compares only what an exported symbol reaches, and the
 * role tables hide behind get_role's `const void *`. check_abi.sh fails when a struct is missing here. */
#include <llamavisor/abi.h>

llv_str* witness_str;
llv_text* witness_text;
llv_host* witness_host;
llv_key* witness_key;
llv_config* witness_config;
llv_plugin* witness_plugin;
llv_entry* witness_entry;
llv_model* witness_model;
llv_snapshot* witness_snapshot;
llv_victims* witness_victims;
llv_eviction* witness_eviction;
llv_context_model* witness_context_model;
llv_context_request* witness_context_request;
llv_context_choice* witness_context_choice;
llv_context* witness_context;
llv_event* witness_event;
llv_notify* witness_notify;
