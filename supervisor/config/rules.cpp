#include <fnmatch.h>

#include "config/settings.h"
#include "domain/model.h"

namespace llamavisor {
namespace {

// A glob without a tag means every tag: "llama3*" matches "llama3.2:1b".
bool matches(const std::string& glob, const std::string& name) {
  const std::string target = glob.find(':') == std::string::npos ? name.substr(0, name.rfind(':')) : name;
  return fnmatch(glob.c_str(), target.c_str(), 0) == 0;
}

template <class T>
void take(std::optional<T>& to, const std::optional<T>& from) {
  if (!to) {
    to = from;
  }
}

}  // namespace

// An exact name is the nearer word, so it is asked before the globs.
ModelRule rule_for(const Settings& settings, const std::string& canonical_name) {
  ModelRule out;
  out.glob = canonical_name;
  for (const bool exact : {true, false}) {
    for (const ModelRule& rule : settings.models) {
      const bool plain = rule.glob.find_first_of("*?[") == std::string::npos;
      if (plain == exact &&
          (exact ? canonical_model_name(rule.glob) == canonical_name : matches(rule.glob, canonical_name))) {
        take(out.pin, rule.pin);
        take(out.keep_alive, rule.keep_alive);
        take(out.num_ctx, rule.num_ctx);
        take(out.max_num_ctx, rule.max_num_ctx);
        take(out.priority, rule.priority);
        take(out.together, rule.together);
        take(out.exclusive, rule.exclusive);
        take(out.limit_bytes, rule.limit_bytes);
      }
    }
  }
  return out;
}

}  // namespace llamavisor
