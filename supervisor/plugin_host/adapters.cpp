#include "plugin_host/adapters.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "plugin_host/snapshot_view.h"
#include "plugin_host/victim_sink.h"

namespace llamavisor {
namespace {

// The role's table, once checked; null callbacks were refused when the plugin was loaded.
template <class Table>
const Table* role_table(const PluginInstance& instance, const char* role) {
  return static_cast<const Table*>(instance.info().table.get_role(role));
}

Error failed(const std::string& id, std::int32_t code, const TextOut& error) {
  const std::string text = error.take();
  return Error(id + " answered " + std::to_string(code) + (text.empty() ? "" : ": " + text));
}

// --- eviction ------------------------------------------------------------------------------------------

// `ask(victims, error)` is one of the role's functions.
template <class Ask>
Result<void> collect(const std::string& id, const SnapshotView& view, std::vector<RankedVictim>& out,
                     const Ask& ask) {
  VictimSink sink(view.snapshot());
  llv_victims victims = sink.table();
  TextOut error;
  const std::int32_t code = ask(&victims, error.get());
  if (code < 0) {
    return failed(id, code, error);
  }
  out = sink.take();
  return {};
}

class PluginEviction final : public EvictionPolicy {
 public:
  PluginEviction(std::shared_ptr<PluginInstance> instance, std::chrono::milliseconds deadline)
      : instance_(std::move(instance)), deadline_(deadline) {}
  std::string id() const override { return instance_->info().id; }

  void rank(const Snapshot& snapshot, std::uint64_t need_bytes, Done done) override {
    ask(snapshot, std::move(done),
        [table = table(), need_bytes](void* self, const auto& view, auto* out, auto* error) {
          return table->rank(self, view.get(), need_bytes, out, error);
        });
  }
  [[nodiscard]] bool acts_unasked() const override {
    constexpr std::size_t kEnd = offsetof(llv_eviction, due) + sizeof(llv_eviction::due);
    return table()->struct_size >= kEnd && table()->due != nullptr;
  }
  void due(const Snapshot& snapshot, Done done) override {
    ask(snapshot, std::move(done), [table = table()](void* self, const auto& view, auto* out, auto* error) {
      return table->due(self, view.get(), out, error);
    });
  }

 private:
  [[nodiscard]] const llv_eviction* table() const {
    return role_table<llv_eviction>(*instance_, LLV_ROLE_EVICTION);
  }
  template <class Function>
  void ask(const Snapshot& snapshot, Done done, Function function) {
    const auto view = std::make_shared<SnapshotView>(snapshot);
    const auto out = std::make_shared<std::vector<RankedVictim>>();
    instance_->call(
        deadline_,
        [function, id = id(), view, out](void* self) {
          return collect(id, *view, *out, [&](llv_victims* victims, llv_text* error) {
            return function(self, *view, victims, error);
          });
        },
        [out, done = std::move(done)](const Result<void>& outcome) {
          done(outcome ? Result<std::vector<RankedVictim>>(std::move(*out)) : outcome.error());
        });
  }

  std::shared_ptr<PluginInstance> instance_;
  std::chrono::milliseconds deadline_;
};

// --- context -------------------------------------------------------------------------------------------

llv_context_model context_model(const ContextQuestion& question) {
  llv_context_model out{};
  out.struct_size = sizeof out;
  out.name = {question.model.name.data(), question.model.name.size()};
  if (question.model.weights_bytes > 0) {
    out.known |= LLV_CONTEXT_MODEL_HAS_WEIGHTS;
    out.weights_bytes = question.model.weights_bytes;
  }
  if (question.kv_bytes_per_token) {
    out.known |= LLV_CONTEXT_MODEL_HAS_KV_PER_TOKEN;
    out.kv_bytes_per_token = *question.kv_bytes_per_token;
  }
  if (question.model.shape && question.model.shape->context_length) {
    out.known |= LLV_CONTEXT_MODEL_HAS_TRAINED_CONTEXT;
    out.trained_context = *question.model.shape->context_length;
  }
  if (question.model.param_num_ctx) {
    out.known |= LLV_CONTEXT_MODEL_HAS_PARAMETER_NUM_CTX;
    out.parameter_num_ctx = *question.model.param_num_ctx;
  }
  return out;
}

llv_context_request context_request(const ContextQuestion& question) {
  llv_context_request out{};
  out.struct_size = sizeof out;
  out.known = LLV_CONTEXT_REQUEST_HAS_ROOM;
  out.room_bytes = question.room_bytes;
  if (question.wish) {
    out.known |= LLV_CONTEXT_REQUEST_HAS_WISH;
    out.wished_num_ctx = *question.wish;
  }
  if (question.default_num_ctx > 0) {
    out.known |= LLV_CONTEXT_REQUEST_HAS_DEFAULT;
    out.default_num_ctx = question.default_num_ctx;
  }
  return out;
}

Result<void> run_choose(const llv_context* table, const std::string& id, void* self, const SnapshotView& view,
                        const ContextQuestion& question, ContextChoice& out) {
  const llv_context_model model = context_model(question);
  const llv_context_request request = context_request(question);
  TextOut error;
  TextOut reason;
  llv_context_choice choice{sizeof(llv_context_choice), 0, reason.get()};
  const std::int32_t code = table->choose(self, view.get(), &model, &request, &choice, error.get());
  if (code < 0) {
    return failed(id, code, error);
  }
  out = {choice.num_ctx, reason.take()};
  return {};
}

class PluginContext final : public ContextPolicy {
 public:
  PluginContext(std::shared_ptr<PluginInstance> instance, std::chrono::milliseconds deadline)
      : instance_(std::move(instance)), deadline_(deadline) {}
  std::string id() const override { return instance_->info().id; }

  void choose(const Snapshot& snapshot, const ContextQuestion& question, Done done) override {
    const auto view = std::make_shared<SnapshotView>(snapshot);
    const auto out = std::make_shared<ContextChoice>();
    const auto* table = role_table<llv_context>(*instance_, LLV_ROLE_CONTEXT);
    instance_->call(
        deadline_,
        [table, id = id(), view, question, out](void* self) {
          return run_choose(table, id, self, *view, question, *out);
        },
        [out, done = std::move(done)](const Result<void>& outcome) {
          done(outcome ? Result<ContextChoice>(std::move(*out)) : outcome.error());
        });
  }

 private:
  std::shared_ptr<PluginInstance> instance_;
  std::chrono::milliseconds deadline_;
};

// --- notify --------------------------------------------------------------------------------------------

std::string event_json(const Event& event) {
  boost::json::object out{{"id", event.id},
                          {"kind", to_string(event.kind)},
                          {"summary", event.summary},
                          {"sentence", event.sentence}};
  if (!event.model.empty()) {
    out["model"] = event.model;
  }
  if (event.freed_bytes) {
    out["freed_bytes"] = *event.freed_bytes;
  }
  if (event.available_bytes) {
    out["available_bytes"] = *event.available_bytes;
  }
  return boost::json::serialize(out);
}

std::int32_t urgency_of(EventKind kind) {
  const bool critical = kind == EventKind::server_down || kind == EventKind::eviction_failed;
  return critical ? LLV_URGENCY_CRITICAL : LLV_URGENCY_NORMAL;
}

Result<void> run_notify(const llv_notify* table, const std::string& id, void* self, const Event& event) {
  const std::string kind = to_string(event.kind);
  const std::string json = event_json(event);
  llv_event out{};
  out.struct_size = sizeof out;
  out.urgency = urgency_of(event.kind);
  out.id = event.id;
  out.at_unix_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(event.at.time_since_epoch()).count());
  out.count = event.count;
  out.kind = {kind.data(), kind.size()};
  out.summary = {event.summary.data(), event.summary.size()};
  out.body = {event.sentence.data(), event.sentence.size()};
  out.json = {json.data(), json.size()};
  if (!event.model.empty()) {
    out.known |= LLV_EVENT_HAS_MODEL;
    out.model = {event.model.data(), event.model.size()};
  }
  if (event.freed_bytes) {
    out.known |= LLV_EVENT_HAS_FREED;
    out.freed_bytes = *event.freed_bytes;
  }
  if (event.available_bytes) {
    out.known |= LLV_EVENT_HAS_AVAILABLE;
    out.available_bytes = *event.available_bytes;
  }
  TextOut error;
  const std::int32_t code = table->on_event(self, &out, error.get());
  return code < 0 ? Result<void>(failed(id, code, error)) : Result<void>();
}

class PluginNotifier final : public Notifier {
 public:
  PluginNotifier(std::shared_ptr<PluginInstance> instance, std::chrono::milliseconds deadline)
      : instance_(std::move(instance)), deadline_(deadline) {}
  std::string id() const override { return instance_->info().id; }

  void notify(const Event& event, Done done) override {
    const auto* table = role_table<llv_notify>(*instance_, LLV_ROLE_NOTIFY);
    instance_->call(
        deadline_, [table, id = id(), event](void* self) { return run_notify(table, id, self, event); },
        std::move(done));
  }

 private:
  std::shared_ptr<PluginInstance> instance_;
  std::chrono::milliseconds deadline_;
};

}  // namespace

std::shared_ptr<EvictionPolicy> as_eviction_policy(std::shared_ptr<PluginInstance> instance,
                                                   std::chrono::milliseconds deadline) {
  return std::make_shared<PluginEviction>(std::move(instance), deadline);
}

std::shared_ptr<ContextPolicy> as_context_policy(std::shared_ptr<PluginInstance> instance,
                                                 std::chrono::milliseconds deadline) {
  return std::make_shared<PluginContext>(std::move(instance), deadline);
}

std::shared_ptr<Notifier> as_notifier(std::shared_ptr<PluginInstance> instance,
                                      std::chrono::milliseconds deadline) {
  return std::make_shared<PluginNotifier>(std::move(instance), deadline);
}

}  // namespace llamavisor
