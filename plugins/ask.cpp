// ask: after a switch to another model, asks whether the one that was left shall be unloaded.
//
// A model is left when another one was used after its own last use. `after` later, if it is still idle, a
// notification asks: unload, keep (until it is left again), or keep always (remembered in a file). Without an
// answer within `patience`, or where nobody can be asked, `unanswered` counts. A model that is used again is
// not asked about, and an answer that comes after that counts for nothing. All times are the snapshot's.
//
// When memory is short, nobody is asked: models that are to be unloaded go first, those that are always kept
// last, each by least recent use.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "ask_bus.h"
#include "orders.h"

namespace {

using namespace llamavisor;

enum class Stage { left, asked, keep, unload };

struct Left {
  nanoseconds last_use{0};
  nanoseconds since{0};  // of the stage
  Stage stage = Stage::left;
  std::string why;  // of unload
};

std::string kept_path(const std::string& configured) {
  if (!configured.empty()) {
    return configured;
  }
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  if (state != nullptr && *state == '/') {
    return std::string(state) + "/llamavisor/kept-models";
  }
  return home == nullptr ? "" : std::string(home) + "/.local/state/llamavisor/kept-models";
}

class Ask final : public Eviction {
 public:
  Ask(Host host, const Config& config)
      : host_(host),
        after_(config.duration("after")),
        patience_(config.duration("patience")),
        unload_unanswered_(config.text("unanswered") == "unload"),
        bus_(host, kept_path(config.text("kept_file"))) {
    if (!unload_unanswered_ && config.text("unanswered") != "keep") {
      throw PluginError(LLV_E_INVALID, "unanswered: write \"keep\" or \"unload\"");
    }
    for (std::string& name : read_kept(kept_path(config.text("kept_file")))) {
      kept_.insert(std::move(name));
    }
  }

  void rank(const Snapshot& snapshot, Bytes /*need*/, Victims& out) override {
    orders::rank_by(snapshot, out, [this](const Model& model, orders::Place& place) {
      orders::lru(model, place);
      const auto it = left_.find(model.name);
      const double within = place.score / (place.score + 60);  // 0 to 1
      if (it != left_.end() && it->second.stage == Stage::unload) {
        place = {2 + within, it->second.why};
      } else if (always(model)) {
        place = {within, place.reason + " (kept as long as possible)"};
      } else {
        place.score = 1 + within;
      }
    });
  }

  void due(const Snapshot& snapshot, Victims& out) override {
    take_answers(snapshot.now);
    notice_switches(snapshot);
    for (const Model& model : snapshot) {
      const auto it = left_.find(model.name);
      if (it == left_.end() || !model.evictable()) {
        continue;
      }
      advance(model, it->second, snapshot.now);
      if (it->second.stage == Stage::unload) {
        out.add(model, 1, it->second.why);
      }
    }
  }

 private:
  [[nodiscard]] bool always(const Model& model) const { return kept_.count(std::string(model.name)) > 0; }

  // Keeps one entry for each resident model that another one was used after.
  void notice_switches(const Snapshot& snapshot) {
    nanoseconds newest{0};
    for (const Model& model : snapshot) {
      newest = std::max(newest, last_use(model, snapshot));
    }
    std::map<std::string, Left, std::less<>> left;
    for (const Model& model : snapshot) {
      const nanoseconds used = last_use(model, snapshot);
      const auto it = left_.find(model.name);
      if (it != left_.end() && it->second.last_use == used) {
        left[it->first] = it->second;
      } else if (used < newest && model.idle) {
        left[std::string(model.name)] = {used, snapshot.now, Stage::left, ""};
      }
    }
    for (const auto& [name, entry] : left_) {
      const auto it = left.find(name);
      if (entry.stage == Stage::asked && (it == left.end() || it->second.stage != Stage::asked)) {
        bus_.withdraw(name);  // used again, or gone: the question is pointless
      }
    }
    left_ = std::move(left);
  }

  static nanoseconds last_use(const Model& model, const Snapshot& snapshot) {
    return model.in_flight.value_or(0) > 0 ? snapshot.now : snapshot.now - model.idle.value_or(snapshot.now);
  }

  void take_answers(nanoseconds now) {
    for (const Answer& answer : bus_.answers()) {
      if (answer.reply == Reply::always) {
        kept_.insert(answer.model);
      }
      const auto it = left_.find(answer.model);
      if (it == left_.end() || it->second.stage != Stage::asked) {
        continue;
      }
      if (answer.reply == Reply::none) {
        unanswered(answer.model, it->second, now, answer.why);
      } else {
        it->second.stage = answer.reply == Reply::unload ? Stage::unload : Stage::keep;
        it->second.why = "you were asked after the switch and answered: unload";
      }
    }
  }

  void unanswered(const std::string& model, Left& left, nanoseconds now, const std::string& why) {
    left.stage = unload_unanswered_ ? Stage::unload : Stage::keep;
    left.since = now;
    left.why = "it was left for another model, and nobody answered (" + why + ")";
    host_.log(LLV_LOG_INFO, model + ": nobody answered (" + why + "), so it is " +
                                (unload_unanswered_ ? "unloaded" : "kept"));
  }

  void advance(const Model& model, Left& left, nanoseconds now) {
    if (left.stage == Stage::left && now - left.since >= after_ && !always(model)) {
      left.stage = Stage::asked;
      left.since = now;
      bus_.ask({std::string(model.name), "Unload " + std::string(model.name) + "?",
                "It is idle since " + text::duration(model.idle.value_or(nanoseconds(0))) +
                    ", another model is in use" +
                    (model.size ? "; it holds " + text::bytes(*model.size) : std::string()) + "."});
    } else if (left.stage == Stage::asked && now - left.since >= patience_) {
      bus_.withdraw(std::string(model.name));
      unanswered(std::string(model.name), left, now, "within " + text::duration(patience_));
    }
  }

  Host host_;
  nanoseconds after_;
  nanoseconds patience_;
  bool unload_unanswered_;
  AskBus bus_;
  std::set<std::string> kept_;
  std::map<std::string, Left, std::less<>> left_;
};

}  // namespace

LLV_PLUGIN(Ask, "ask", "1.0.0", "Asks after a model switch whether to unload the model that was left",
           key(LLV_KEY_DURATION, "after", "60s", "how long after the switch it asks", 0, 8.64e13),
           key(LLV_KEY_DURATION, "patience", "2m", "how long it waits for an answer", 1e9, 8.64e13),
           key(LLV_KEY_STR, "unanswered", "keep", "what no answer means: keep or unload"),
           key(LLV_KEY_STR, "kept_file", "",
               "where \"keep always\" is remembered; empty: kept-models in llamavisor's state folder"))
