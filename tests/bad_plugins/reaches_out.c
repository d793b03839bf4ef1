/* Opens a file, a socket and a child process, and says which of them it got. In a helper process: none. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#define BAD_ID "reaches_out"
#define BAD_RANK_BODY                                                                                    \
  const int file = open("/etc/passwd", O_RDONLY);                                                        \
  const int network = socket(AF_INET, SOCK_STREAM, 0);                                                   \
  const pid_t child = fork();                                                                            \
  if (child == 0) {                                                                                      \
    _exit(0);                                                                                            \
  }                                                                                                      \
  error->length =                                                                                        \
      (uint32_t)snprintf(error->data, error->capacity, "file %s, network %s, child %s",                  \
                         file < 0 ? "no" : "yes", network < 0 ? "no" : "yes", child < 0 ? "no" : "yes"); \
  return LLV_E_FAILED;
#include "bad_plugin.h"
