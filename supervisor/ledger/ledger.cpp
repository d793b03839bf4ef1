#include "ledger/ledger.h"

#include <algorithm>
#include <ctime>
#include <set>
#include <utility>

namespace llamavisor {
namespace {

std::uint32_t minute_of_day(WallTime wall) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(wall);
  std::tm local{};
  localtime_r(&seconds, &local);
  return static_cast<std::uint32_t>(local.tm_hour * 60 + local.tm_min);
}

// Models that go together are pinned together.
void share_pins(Snapshot& snapshot) {
  std::set<std::string> pinned;
  for (const ModelView& model : snapshot.models) {
    if (model.pinned) {
      pinned.insert(model.together);
    }
  }
  for (ModelView& model : snapshot.models) {
    model.pinned = model.pinned || (!model.together.empty() && pinned.contains(model.together));
  }
}

}  // namespace

Lease::Lease(Ledger& ledger, std::shared_ptr<Residency> residency)
    : ledger_(&ledger), residency_(std::move(residency)) {
  use_.began = ledger_->clock_.now();
  ledger_->begin_use(*residency_);
}

Lease& Lease::operator=(Lease&& other) noexcept {
  release();
  ledger_ = other.ledger_;
  residency_ = std::move(other.residency_);
  use_ = other.use_;
  return *this;
}

void Lease::answered() {
  if (residency_) {
    use_.answered = true;
    use_.loaded = use_.loaded || residency_->state == ResidencyState::loading;
    ledger_->note_answer(*residency_);
  }
}

void Lease::release() {
  if (const auto ended = std::exchange(residency_, nullptr)) {
    ledger_->end_use(*ended, use_);
  }
}

std::shared_ptr<Residency> Ledger::find(const std::string& canonical_name) const {
  const auto it = by_name_.find(canonical_name);
  return it == by_name_.end() ? nullptr : it->second;
}

std::shared_ptr<Residency> Ledger::find_key(const std::string& key) const {
  const auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : it->second;
}

std::shared_ptr<Residency> Ledger::reserve(const std::string& key, const std::string& name,
                                           std::uint64_t forecast_bytes,
                                           std::optional<std::uint32_t> num_ctx) {
  auto residency = std::make_shared<Residency>();
  residency->key = key;
  residency->name = name;
  residency->forecast_bytes = forecast_bytes;
  residency->num_ctx = num_ctx;
  residency->loaded = residency->last_used = clock_.now();
  past_[key].loaded(clock_.now(), thrash_window_);
  by_key_[key] = residency;
  by_name_[name] = residency;
  return residency;
}

void Ledger::remove(const std::string& key) {
  const auto it = by_key_.find(key);
  if (it == by_key_.end()) {
    return;
  }
  const std::shared_ptr<Residency> gone = it->second;
  by_key_.erase(it);
  removed_at_[key] = clock_.now();
  std::erase_if(by_name_, [&](const auto& entry) { return entry.second == gone; });
  changed();
}

void Ledger::note_evicted(const Residency& residency) {
  past_[residency.key].evicted(clock_.now());
}

std::optional<std::chrono::nanoseconds> Ledger::reload(const Residency& residency) const {
  const auto past = past_.find(residency.key);
  return past == past_.end() ? std::nullopt : past->second.reload();
}

std::uint64_t Ledger::overflows(const Residency& residency) const {
  const auto past = past_.find(residency.key);
  return past == past_.end() ? 0 : past->second.overflows();
}

bool Ledger::removed_since(const std::string& key, SteadyTime when) const {
  const auto it = removed_at_.find(key);
  return it != removed_at_.end() && it->second >= when;
}

void Ledger::set_state(Residency& residency, ResidencyState state) {
  residency.state = state;
  if (residency.gate_open()) {
    changed();
  }
}

std::uint64_t Ledger::used_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [key, residency] : by_key_) {
    sum += residency->charge_bytes();
  }
  return sum;
}

bool Ledger::pinned(const Residency& residency) const {
  return rules_ && rules_(residency.name).pin.value_or(false);
}

ModelView Ledger::view(const Residency& residency) const {
  ModelView out;
  out.key = residency.key;
  out.name = residency.name;
  out.state = residency.state;
  out.charge_bytes = residency.charge_bytes();
  out.forecast_bytes = residency.forecast_bytes;
  out.footprint_bytes = residency.footprint_bytes;
  out.vram_bytes = residency.vram_bytes;
  out.num_ctx = residency.num_ctx;
  out.in_flight = residency.in_flight;
  out.use_count = residency.use_count;
  out.last_used = residency.last_used;
  out.loaded = residency.loaded;
  out.load_duration = residency.load_duration;
  if (rules_) {
    const ModelRule rule = rules_(residency.name);
    out.pinned = rule.pin.value_or(false);
    out.priority = rule.priority.value_or(0);
    out.together = rule.together.value_or("");
    out.exclusive = rule.exclusive.value_or("");
    out.limit_bytes = rule.limit_bytes;
  }
  if (const auto past = past_.find(residency.key); past != past_.end()) {
    out.total_uses = past->second.total_uses();
    out.reload = past->second.reload();
    out.quick_returns = past->second.quick_returns(clock_.now(), thrash_window_);
    out.returned_after = past->second.returned_after(clock_.now(), thrash_window_);
  }
  return out;
}

Snapshot Ledger::snapshot(std::uint64_t limit_bytes, const MemorySample* sample) const {
  Snapshot out;
  out.now = clock_.now();
  out.limit_bytes = limit_bytes;
  out.used_bytes = used_bytes();
  if (sample != nullptr) {
    out.available_bytes = sample->available_bytes;
    if (sample->psi_memory) {
      out.psi_some_avg10 = sample->psi_memory->some_avg10;
      out.psi_full_avg10 = sample->psi_memory->full_avg10;
    }
  }
  for (const auto& [key, residency] : by_key_) {
    out.models.push_back(view(*residency));
  }
  out.minute_of_day = minute_of_day(clock_.wall());
  share_pins(out);
  return out;
}

void Ledger::begin_use(Residency& residency) {
  ++residency.in_flight;
  ++residency.use_count;
  past_[residency.key].used();
  residency.last_used = clock_.now();
  if (on_use_) {
    on_use_(residency);
  }
}

void Ledger::end_use(Residency& residency, const Use& use) {
  --residency.in_flight;
  residency.last_used = clock_.now();
  if (on_used_) {
    on_used_(residency, use);
  }
  if (residency.in_flight > 0) {
    return;
  }
  if (residency.state == ResidencyState::loading && on_doubt_) {
    on_doubt_();
  }
  changed();
}

void Ledger::note_answer(Residency& residency) {
  if (residency.state != ResidencyState::loading) {
    return;
  }
  residency.state = ResidencyState::ready;
  residency.load_duration = clock_.now() - residency.loaded;
  past_[residency.key].measured(*residency.load_duration);
  if (on_ready_) {
    on_ready_(residency);
  }
  changed();
}

void Ledger::changed() {
  if (on_change_) {
    on_change_();
  }
}

}  // namespace llamavisor
