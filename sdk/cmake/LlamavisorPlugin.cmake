# llamavisor_add_plugin(<name> <source>... [NO_INSTALL])
#
# Builds <name>.so into ${CMAKE_BINARY_DIR}/lib/llamavisor/plugins and, unless NO_INSTALL, installs it to
# lib/llamavisor/plugins, where a llamavisor of the same prefix finds it. <name> is an ordinary target.
#
# What it sees to, and why:
# - one exported symbol (version script): the plugin shares nothing with the host or with other plugins;
# - hidden visibility and no STB_GNU_UNIQUE symbols: otherwise dlclose() leaves the library mapped, and the
#   next version of the plugin shares its state;
# - no undefined symbols: a missing library fails at build time and not at load time. Not under sanitizers,
#   whose symbols come from the program.
function(llamavisor_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_INSTALL" "" "")
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/llamavisor_plugin.map)
  add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE llamavisor::sdk)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${name} PRIVATE cxx_std_17)
  endif()
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE -Wl,--version-script=${map})
  if(NOT LLV_SANITIZE AND NOT "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize=")
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/llamavisor/plugins
    LINK_DEPENDS ${map})
  if(NOT arg_NO_INSTALL)
    install(TARGETS ${name} LIBRARY DESTINATION lib/llamavisor/plugins)
  endif()
endfunction()
