#include "ledger/reconcile.h"

#include <algorithm>

namespace llamavisor {
namespace {

// Two runners can hold one blob for a moment (a reload): the later-started one counts.
const RunnerSample* runner_of(const Observation& seen, const std::string& key) {
  const RunnerSample* found = nullptr;
  for (const RunnerSample& runner : seen.sample.runners) {
    if (runner.blob_digest == key && (found == nullptr || runner.start_ticks > found->start_ticks)) {
      found = &runner;
    }
  }
  return found;
}

const ObservedModel* listed_of(const Observation& seen, const Ledger& ledger, const Residency& residency) {
  if (!seen.loaded) {
    return nullptr;
  }
  for (const ObservedModel& model : *seen.loaded) {
    if (model.blob_digest == residency.key || ledger.find(model.name).get() == &residency) {
      return &model;
    }
  }
  return nullptr;
}

void update(Residency& residency, const RunnerSample* runner, const ObservedModel* listed) {
  if (runner != nullptr) {
    residency.runner = *runner;
    residency.footprint_bytes = runner->footprint_bytes;
  }
  if (listed != nullptr) {
    residency.vram_bytes = listed->vram_bytes;
    residency.expires_at = listed->expires_at;
    if (!residency.footprint_bytes) {
      residency.footprint_bytes = listed->size_bytes;
    }
    if (!residency.num_ctx) {
      residency.num_ctx = listed->num_ctx;
    }
  }
}

// Nobody uses it, and nobody has since the look began.
bool settled(const Residency& residency, SteadyTime looked_at) {
  return residency.in_flight == 0 && residency.last_used < looked_at && residency.gate_open();
}

// A blob digest can be checked against the processes; a bare name only against /api/ps.
bool ended(const Observation& seen, const Residency& residency, bool found) {
  return !found && (seen.loaded.has_value() || residency.key != residency.name);
}

void adopt(Ledger& ledger, const std::string& key, const std::string& name, const RunnerSample* runner,
           const ObservedModel* listed) {
  const auto residency = ledger.reserve(key, name, 0, std::nullopt);
  residency->state = ResidencyState::ready;
  update(*residency, runner, listed);
}

void adopt_listed(Ledger& ledger, const Observation& seen, SteadyTime looked_at) {
  for (const ObservedModel& model : seen.loaded.value_or(std::vector<ObservedModel>{})) {
    const std::string& key = model.blob_digest.empty() ? model.name : model.blob_digest;
    const bool known = ledger.find_key(key) != nullptr || ledger.find(model.name) != nullptr;
    if (!known && !ledger.removed_since(key, looked_at)) {
      adopt(ledger, key, model.name, runner_of(seen, key), &model);
    }
  }
}

void adopt_runners(Ledger& ledger, const Observation& seen, SteadyTime looked_at) {
  for (const RunnerSample& runner : seen.sample.runners) {
    if (runner.blob_digest.empty() || ledger.find_key(runner.blob_digest) != nullptr ||
        ledger.removed_since(runner.blob_digest, looked_at)) {
      continue;
    }
    const auto name = seen.name_of_blob.find(runner.blob_digest);
    adopt(ledger, runner.blob_digest, name == seen.name_of_blob.end() ? runner.blob_digest : name->second,
          &runner, nullptr);
  }
}

}  // namespace

std::vector<std::string> reconcile(Ledger& ledger, const Observation& seen, SteadyTime looked_at) {
  std::vector<std::shared_ptr<Residency>> gone;
  std::vector<std::shared_ptr<Residency>> loaded;
  for (const auto& [key, residency] : ledger.all()) {
    const RunnerSample* runner = runner_of(seen, key);
    const ObservedModel* listed = listed_of(seen, ledger, *residency);
    const bool found = runner != nullptr || listed != nullptr;
    update(*residency, runner, listed);
    if (settled(*residency, looked_at) && ended(seen, *residency, found)) {
      gone.push_back(residency);
    } else if (settled(*residency, looked_at) && found && residency->state == ResidencyState::loading) {
      loaded.push_back(residency);
    }
  }
  std::vector<std::string> vanished;
  for (const auto& residency : gone) {
    ledger.remove(residency->key);
    vanished.push_back(residency->name);
  }
  for (const auto& residency : loaded) {
    ledger.set_state(*residency, ResidencyState::ready);
  }
  adopt_listed(ledger, seen, looked_at);
  adopt_runners(ledger, seen, looked_at);
  return vanished;
}

}  // namespace llamavisor
