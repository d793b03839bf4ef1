#include <algorithm>
#include <tuple>

#include "policy/guard.h"
#include "simulate/room.h"

namespace llamavisor {
namespace {

using Milliseconds = std::chrono::milliseconds;

class OllamaRoom final : public Room {
 public:
  OllamaRoom(const OllamaRules& rules, std::map<std::string, std::string> blob_of)
      : rules_(rules), blob_of_(std::move(blob_of)) {}

  Result<AdmissionDecision> decide(const AdmissionQuestion& question, const Snapshot& snapshot) override {
    const bool full = rules_.max_models > 0 && snapshot.models.size() >= rules_.max_models;
    const bool fits =
        !rules_.checks_memory || snapshot.used_bytes + question.need_bytes <= snapshot.limit_bytes;
    if (!full && fits) {
      return AdmissionDecision(Admit{});
    }
    if (snapshot.models.empty()) {
      return AdmissionDecision(Refuse{question.model + " requires more memory than is available", true});
    }
    const std::size_t victim = first_to_go(snapshot);
    awaited_ = snapshot.models[victim].name;
    const RankedVictim entry{victim, 0, "Ollama's own order"};
    return is_evictable(snapshot.models[victim]) ? AdmissionDecision(EvictFirst{{entry}})
                                                 : AdmissionDecision(DrainFirst{{victim}});
  }

  void used(const std::string& model, std::optional<Milliseconds> keep_alive) override {
    const auto it = keep_alive_.try_emplace(model, rules_.keep_alive).first;
    it->second = keep_alive.value_or(it->second);
  }

  std::optional<SteadyTime> next_due(const Ledger& ledger, SteadyTime /*now*/) const override {
    std::optional<SteadyTime> out;
    for (const auto& [key, residency] : ledger.all()) {
      const auto end = expiry(residency->name, residency->last_used);
      if (end && residency->in_flight == 0 && residency->state == ResidencyState::ready) {
        out = out ? std::min(*out, *end) : *end;
      }
    }
    return out;
  }

  Result<std::vector<RankedVictim>> due(const Snapshot& snapshot) override {
    std::vector<RankedVictim> out;
    for (std::size_t i = 0; i < snapshot.models.size(); ++i) {
      const ModelView& model = snapshot.models[i];
      const auto end = expiry(model.name, model.last_used);
      if (end && is_evictable(model) && *end <= snapshot.now) {
        out.push_back({i, 0, "its keep_alive ran out"});
      }
    }
    return out;
  }

  void gone(const std::string& model) override {
    keep_alive_.erase(model);
    awaited_ = awaited_ == model ? "" : awaited_;
  }

 private:
  [[nodiscard]] Milliseconds keep_alive(const std::string& model) const {
    const auto it = keep_alive_.find(model);
    return it == keep_alive_.end() ? rules_.keep_alive : it->second;
  }
  [[nodiscard]] std::optional<SteadyTime> expiry(const std::string& model, SteadyTime last_used) const {
    const Milliseconds time = keep_alive(model);
    return time.count() < 0 ? std::nullopt : std::optional(last_used + time);
  }
  // Ollama compares durations as unsigned numbers, so that a negative one comes last.
  [[nodiscard]] std::size_t first_to_go(const Snapshot& snapshot) const {
    const auto place = [&](std::size_t i) {
      const ModelView& model = snapshot.models[i];
      return std::tuple(model.name != awaited_, !is_evictable(model),
                        static_cast<std::uint64_t>(keep_alive(model.name).count()), blob(model.name));
    };
    std::size_t out = 0;
    for (std::size_t i = 1; i < snapshot.models.size(); ++i) {
      out = place(i) < place(out) ? i : out;
    }
    return out;
  }
  [[nodiscard]] std::string_view blob(const std::string& model) const {
    const auto it = blob_of_.find(model);
    return it == blob_of_.end() ? std::string_view(model) : std::string_view(it->second);
  }

  OllamaRules rules_;
  std::string awaited_;  // the one that was chosen to go, until it has gone
  std::map<std::string, std::string> blob_of_;
  std::map<std::string, Milliseconds> keep_alive_;  // of the resident models
};

}  // namespace

std::unique_ptr<Room> make_ollama_room(const OllamaRules& rules, std::map<std::string, std::string> blob_of) {
  return std::make_unique<OllamaRoom>(rules, std::move(blob_of));
}

}  // namespace llamavisor
