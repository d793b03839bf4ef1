#include "plugin_host/isolated_plugin.h"

#include <algorithm>

#include "ollama/restart_policy.h"
#include "plugin_host/helper_process.h"
#include "plugin_host/plugin_text.h"

namespace llamavisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// One instance: what `self` points to.
class Isolated {
 public:
  Isolated(const llv_host& host, const IsolationPlan& plan, PluginConfig config)
      : host_(host), plan_(plan), config_(std::move(config)) {}

  [[nodiscard]] const IsolationPlan& plan() const { return plan_; }
  // Starts the helper and makes the instance in it.
  std::int32_t start(llv_text* error);
  std::int32_t reconfigure(PluginConfig config, llv_text* error);

  // A question with its answer: `fill(question)` adds the values, `read(answer)` takes those of an answer
  // whose code is not an error.
  template <class Fill, class Read>
  std::int32_t ask(Ask kind, milliseconds deadline, llv_text* error, const Fill& fill, const Read& read) {
    if (!helper_) {
      if (const std::int32_t code = restart(error); code < 0) {
        return code;
      }
    }
    const std::int32_t code = exchange(kind, deadline, error, fill, read);
    failures_ = helper_ ? 0 : failures_;
    return code;
  }

 private:
  template <class Fill, class Read>
  std::int32_t exchange(Ask kind, milliseconds deadline, llv_text* error, const Fill& fill, const Read& read);
  std::int32_t restart(llv_text* error);
  std::int32_t failed(const Error& why, llv_text* error);
  void give_up();
  void forward_log(Unpacker& answer);
  [[nodiscard]] nanoseconds now() const { return nanoseconds(host_.now_ns(host_.ctx)); }

  const llv_host& host_;
  const IsolationPlan& plan_;
  PluginConfig config_;
  std::unique_ptr<HelperProcess> helper_;
  std::uint32_t questions_ = 0;  // the last one's number, which its answer repeats
  unsigned failures_ = 0;        // in a row
  nanoseconds not_before_{0};
};

constexpr auto kNothing = [](auto&) {};

void Isolated::give_up() {
  helper_.reset();
  ++failures_;
  not_before_ = now() + restart_delay({kMinRestartDelay, kMaxRestartDelay}, failures_, 0);
}

std::int32_t Isolated::failed(const Error& why, llv_text* error) {
  give_up();
  put_text(error, "its helper process " + why.message);
  return LLV_E_FAILED;
}

std::int32_t Isolated::restart(llv_text* error) {
  if (now() < not_before_) {
    put_text(error, "its helper process has failed " + std::to_string(failures_) +
                        " times in a row and is started again later");
    return LLV_E_UNAVAILABLE;
  }
  return start(error);
}

std::int32_t Isolated::start(llv_text* error) {
  auto loaded = HelperProcess::load(plan_.path, plan_.start_deadline);
  if (!loaded) {
    return failed(loaded.error().within("did not start"), error);
  }
  helper_ = std::move(loaded->process);
  questions_ = 0;
  const std::int32_t code = exchange(
      Ask::create, plan_.start_deadline, error,
      [&](Packer& question) {
        question.text(plan_.id);
        pack_values(question, config_);
      },
      kNothing);
  if (code < 0 && helper_) {
    give_up();
  }
  return code;
}

std::int32_t Isolated::reconfigure(PluginConfig config, llv_text* error) {
  const std::int32_t code = ask(
      Ask::reconfigure, plan_.start_deadline, error, [&](Packer& question) { pack_values(question, config); },
      kNothing);
  if (code >= 0) {
    config_ = std::move(config);
  }
  return code;
}

void Isolated::forward_log(Unpacker& answer) {
  for (std::uint32_t left = answer.count(kMaxLogLines); left > 0; --left) {
    const auto level = answer.get<std::int32_t>();
    const std::string_view line = answer.text(kMaxTextBytes);
    host_.log(host_.ctx, level, {line.data(), line.size()});
  }
}

template <class Fill, class Read>
std::int32_t Isolated::exchange(Ask kind, milliseconds deadline, llv_text* error, const Fill& fill,
                                const Read& read) {
  Packer question;
  question.add(kind).add(++questions_).add(host_.now_ns(host_.ctx));
  fill(question);
  const auto bytes = helper_->ask(question, deadline);
  if (!bytes) {
    return failed(bytes.error(), error);
  }
  Unpacker answer(*bytes);
  if (answer.get<std::uint32_t>() != questions_) {
    return failed(helper_->end_for("answered what it was not asked"), error);
  }
  const auto code = answer.get<std::int32_t>();
  put_text(error, answer.text(kMaxTextBytes));
  forward_log(answer);
  if (code >= 0) {
    read(answer);
  }
  return answer.ok() ? code : failed(helper_->end_for("answered nonsense"), error);
}

// --- the table of the C ABI --------------------------------------------------------------------------------

Isolated& at(void* self) {
  return *static_cast<Isolated*>(self);
}

const PluginConfig& values_of(const llv_config* config) {
  return *static_cast<const PluginConfig*>(config->ctx);
}

std::int32_t create(const llv_host* host, const llv_config* config, llv_text* error, void** self) noexcept {
  const auto* plan = static_cast<const IsolationPlan*>(host->get_extension(host->ctx, kIsolationPlan));
  auto made = std::make_unique<Isolated>(*host, *plan, values_of(config));
  const std::int32_t code = made->start(error);
  *self = code < 0 ? nullptr : made.release();
  return code;
}

void destroy(void* self) noexcept {
  delete static_cast<Isolated*>(self);
}

std::int32_t reconfigure(void* self, const llv_config* config, llv_text* error) noexcept {
  return at(self).reconfigure(values_of(config), error);
}

std::int32_t save(void* self, llv_text* out) noexcept {
  TextOut error;
  bool fits = true;
  const std::int32_t code =
      at(self).ask(Ask::save, at(self).plan().start_deadline, error.get(), kNothing, [&](Unpacker& answer) {
        const std::string_view saved = answer.text();
        fits = saved.size() <= out->capacity;
        put_text(out, saved);
      });
  if (code < 0) {
    put_text(out, error.take());
  }
  return fits ? code : LLV_E_TOO_SMALL;
}

std::int32_t restore(void* self, llv_str saved, llv_text* error) noexcept {
  return at(self).ask(
      Ask::restore, at(self).plan().start_deadline, error,
      [&](Packer& question) {
        question.text({saved.data, saved.size});
      },
      kNothing);
}

// The host's sink checks each entry; here only their number is bounded: refused ones may come besides.
void read_victims(Unpacker& answer, std::uint32_t models, llv_victims* out) {
  constexpr std::uint32_t kRefused = 8;
  for (std::uint32_t left = answer.count(models + kRefused); left > 0; --left) {
    const auto index = answer.get<std::uint32_t>();
    const auto score = answer.get<double>();
    const std::string_view reason = answer.text(kMaxTextBytes);
    if (answer.ok()) {
      out->add(out->ctx, index, score, {reason.data(), reason.size()});
    }
  }
}

std::int32_t rank(void* self, const llv_snapshot* snapshot, std::uint64_t need_bytes, llv_victims* out,
                  llv_text* error) noexcept {
  return at(self).ask(
      Ask::rank, at(self).plan().policy_deadline, error,
      [&](Packer& question) {
        question.add(need_bytes);
        pack_snapshot(question, *snapshot);
      },
      [&](Unpacker& answer) { read_victims(answer, snapshot->model_count, out); });
}

std::int32_t due(void* self, const llv_snapshot* snapshot, llv_victims* out, llv_text* error) noexcept {
  return at(self).ask(
      Ask::due, at(self).plan().policy_deadline, error,
      [&](Packer& question) { pack_snapshot(question, *snapshot); },
      [&](Unpacker& answer) { read_victims(answer, snapshot->model_count, out); });
}

std::int32_t choose(void* self, const llv_snapshot* snapshot, const llv_context_model* model,
                    const llv_context_request* request, llv_context_choice* out, llv_text* error) noexcept {
  return at(self).ask(
      Ask::choose, at(self).plan().policy_deadline, error,
      [&](Packer& question) {
        pack_snapshot(question, *snapshot);
        question.add(*model).text({model->name.data, model->name.size}).add(*request);
      },
      [&](Unpacker& answer) {
        out->num_ctx = answer.get<std::uint32_t>();
        put_text(out->reason, answer.text(kMaxTextBytes));
      });
}

std::int32_t on_event(void* self, const llv_event* event, llv_text* error) noexcept {
  return at(self).ask(
      Ask::notify, at(self).plan().notify_deadline, error,
      [&](Packer& question) { pack_event(question, *event); }, kNothing);
}

template <bool kDue>
const void* get_role(const char* role_id) noexcept {
  static constexpr llv_eviction kEviction{sizeof(llv_eviction), 0, &rank, kDue ? &due : nullptr};
  static constexpr llv_context kContext{sizeof(llv_context), 0, &choose};
  static constexpr llv_notify kNotify{sizeof(llv_notify), 0, &on_event};
  const std::string_view id = role_id;
  return id == LLV_ROLE_EVICTION  ? &kEviction
         : id == LLV_ROLE_CONTEXT ? static_cast<const void*>(&kContext)
         : id == LLV_ROLE_NOTIFY  ? &kNotify
                                  : nullptr;
}

}  // namespace

PluginInfo isolated(const DescribedPlugin& plugin, IsolationPlan plan) {
  PluginInfo out = plugin.info;
  const auto has = [&](std::uint32_t bit) { return (plugin.callbacks & bit) != 0; };
  out.table.struct_size = sizeof out.table;
  out.table.create = &create;
  out.table.destroy = &destroy;
  out.table.get_role = has(kHasDue) ? &get_role<true> : &get_role<false>;
  out.table.reconfigure = has(kHasReconfigure) ? &reconfigure : nullptr;
  out.table.save = has(kHasSave) ? &save : nullptr;
  out.table.restore = has(kHasRestore) ? &restore : nullptr;
  out.isolation = std::make_shared<const IsolationPlan>(std::move(plan));
  return out;
}

}  // namespace llamavisor
