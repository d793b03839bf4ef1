#include "plugin_host/snapshot_view.h"

namespace llamavisor {
namespace {

std::uint64_t ns(SteadyTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

// Writes the value and sets its bit only when there is one.
template <class To, class From>
void set_known(std::uint64_t& known, std::uint64_t bit, To& to, const std::optional<From>& from) {
  if (from) {
    known |= bit;
    to = static_cast<To>(*from);
  }
}

llv_model model_view(const ModelView& model) {
  llv_model out{};
  out.struct_size = sizeof out;
  out.name = {model.name.data(), model.name.size()};
  out.known = LLV_MODEL_HAS_FLAGS | LLV_MODEL_HAS_SIZE | LLV_MODEL_HAS_LAST_USED | LLV_MODEL_HAS_LOADED |
              LLV_MODEL_HAS_IN_FLIGHT | LLV_MODEL_HAS_USE_COUNT | LLV_MODEL_HAS_TOTAL_USES |
              LLV_MODEL_HAS_PRIORITY | LLV_MODEL_HAS_QUICK_RETURNS;
  out.flags = (model.pinned ? LLV_MODEL_IS_PINNED : 0U) |
              (model.state == ResidencyState::ready ? 0U : LLV_MODEL_IS_SETTLING);
  out.size_bytes = model.charge_bytes;
  out.last_used_ns = ns(model.last_used);
  out.loaded_ns = ns(model.loaded);
  out.in_flight = model.in_flight;
  out.use_count = model.use_count;
  out.total_uses = model.total_uses;
  out.priority = model.priority;
  out.quick_returns = model.quick_returns;
  set_known(out.known, LLV_MODEL_HAS_RSS, out.rss_bytes, model.footprint_bytes);
  set_known(out.known, LLV_MODEL_HAS_VRAM, out.vram_bytes, model.vram_bytes);
  set_known(out.known, LLV_MODEL_HAS_CONTEXT_LENGTH, out.context_length, model.num_ctx);
  if (model.load_duration) {
    out.known |= LLV_MODEL_HAS_LOAD_DURATION;
    out.load_duration_ns = static_cast<std::uint64_t>(model.load_duration->count());
  }
  if (model.reload) {
    out.known |= LLV_MODEL_HAS_RELOAD;
    out.reload_ns = static_cast<std::uint64_t>(model.reload->count());
  }
  return out;
}

}  // namespace

SnapshotView::SnapshotView(Snapshot snapshot) : snapshot_(std::move(snapshot)) {
  for (const ModelView& model : snapshot_.models) {
    models_.push_back(model_view(model));
  }
  view_.struct_size = sizeof view_;
  view_.model_count = static_cast<std::uint32_t>(models_.size());
  view_.models = models_.data();
  view_.model_stride = sizeof(llv_model);
  view_.known = LLV_SNAPSHOT_HAS_LIMIT | LLV_SNAPSHOT_HAS_USED;
  view_.now_ns = ns(snapshot_.now);
  view_.limit_bytes = snapshot_.limit_bytes;
  view_.used_bytes = snapshot_.used_bytes;
  set_known(view_.known, LLV_SNAPSHOT_HAS_AVAILABLE, view_.available_bytes, snapshot_.available_bytes);
  set_known(view_.known, LLV_SNAPSHOT_HAS_PSI_SOME, view_.psi_some_avg10, snapshot_.psi_some_avg10);
  set_known(view_.known, LLV_SNAPSHOT_HAS_PSI_FULL, view_.psi_full_avg10, snapshot_.psi_full_avg10);
  set_known(view_.known, LLV_SNAPSHOT_HAS_LOCAL_MINUTE, view_.local_minute, snapshot_.minute_of_day);
}

}  // namespace llamavisor
