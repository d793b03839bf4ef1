// The DNS-rebinding check that Ollama does by itself on a loopback listener. Since the gateway rewrites Host
// towards the server, that check must be done here, by the same rules; without it any web page could talk to
// the port under a name of its own.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/http_head.h"

namespace llamavisor {

class HostGuard {
 public:
  // `loopback`: the listener is bound to a loopback address; only then is Host checked, as in Ollama.
  explicit HostGuard(bool loopback);

  [[nodiscard]] bool host_allowed(std::string_view host) const;

 private:
  bool loopback_;
  std::set<std::string> own_names_;  // this machine's name, and its addresses
};

// Would Ollama serve a page of this origin? Its own list (envconfig.AllowedOrigins: this machine's names over
// http and https, the schemes of desktop programs) and `more`, where one * stands for anything.
bool is_allowed_origin(std::string_view origin, const std::vector<std::string>& more);

// The page that sent the request was served under the very name it asked for: no cross-origin request.
// Ollama sees another Host and would refuse it, so the gateway takes such an Origin out.
bool is_same_origin(std::string_view origin, std::string_view host);

}  // namespace llamavisor
