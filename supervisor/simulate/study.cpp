#include "simulate/study.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <limits>

#include "plugin_host/plugin_host.h"
#include "simulate/bound.h"
#include "simulate/foresight.h"

namespace llamavisor {
namespace {

bool is_ollama(const std::string& policy) {
  return std::find(kOllamaPolicies.begin(), kOllamaPolicies.end(), policy) != kOllamaPolicies.end();
}

std::unique_ptr<Room> ollama_room(const std::string& policy, const Trace& trace) {
  std::map<std::string, std::string> blob_of;
  for (const TraceModel& model : trace.models) {
    blob_of[model.name] = model.blob;
  }
  OllamaRules rules;
  if (policy == "ollama-order") {
    rules.keep_alive = std::chrono::milliseconds(-1);
    rules.max_models = 0;
  }
  rules.checks_memory = policy != "ollama-cpu";
  return make_ollama_room(rules, std::move(blob_of));
}

// A policy of its own for each replay: nothing is remembered from the one before.
class PolicyLoader {
 public:
  PolicyLoader(const Study& study, const Clock& clock) : host_(io_, workers_, clock) {
    host_.configure(study.plugin_dirs, study.settings);
    host_.call_inline();
  }
  Result<std::shared_ptr<EvictionPolicy>> open(const std::string& id) {
    Result<std::shared_ptr<EvictionPolicy>> out = Error(id + " was not opened");
    host_.eviction(id, [&out](auto policy) { out = std::move(policy); });
    io_.restart();
    io_.run();
    return out;
  }

 private:
  boost::asio::io_context io_;
  boost::asio::thread_pool workers_{1};
  PluginHost host_;
};

Result<Replayed> replay_one(const Trace& trace, const Study& study, const std::string& policy,
                            ReplayRules rules) {
  ManualClock clock;
  if (policy == kForesight) {
    rules.thrash_window = {};
    return replay(trace, rules, clock, *make_policy_room(make_foresight(trace, clock.now())));
  }
  if (is_ollama(policy)) {
    return replay(trace, rules, clock, *ollama_room(policy, trace));
  }
  if (policy == "ask") {
    return Error("ask cannot be simulated: it asks people");
  }
  PolicyLoader loader(study, clock);
  auto opened = loader.open(policy);
  if (!opened) {
    return opened.error();
  }
  return replay(trace, rules, clock, *make_policy_room(std::move(*opened)));
}

// What some schedule within the limit needs.
std::chrono::milliseconds least_known(const std::vector<StudyRow>& rows, std::uint64_t limit_bytes) {
  auto out = std::chrono::milliseconds::max();
  for (const StudyRow& row : rows) {
    const bool within = row.limit_bytes == limit_bytes && row.result.peak_bytes <= limit_bytes;
    out = within ? std::min(out, row.result.reload) : out;
  }
  return out == std::chrono::milliseconds::max() ? std::chrono::milliseconds(0) : out;
}

}  // namespace

Result<StudyResult> run_study(const Trace& trace, const Study& study) {
  StudyResult out;
  const double all = static_cast<double>(study.policies.size() * study.limits_bytes.size());
  const double each = static_cast<double>(std::max<std::size_t>(trace.requests.size(), 1));
  for (const std::uint64_t limit : study.limits_bytes) {
    for (const std::string& policy : study.policies) {
      ReplayRules rules{.limit_bytes = limit, .thrash_window = study.settings.policy.thrash_window};
      rules.progress = [&](std::size_t done) {
        if (study.progress) {
          study.progress((static_cast<double>(out.rows.size()) + static_cast<double>(done) / each) / all);
        }
      };
      auto replayed = replay_one(trace, study, policy, rules);
      if (!replayed) {
        return replayed.error().within(policy);
      }
      out.rows.push_back({policy, limit, std::move(*replayed)});
    }
    out.bounds.push_back({limit, least_reload(trace, limit, least_known(out.rows, limit))});
  }
  return out;
}

}  // namespace llamavisor
