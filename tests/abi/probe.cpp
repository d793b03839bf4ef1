// A plugin that does what its configuration says, for the tests of the C++ wrapper.
#include <llamavisor/plugin.hpp>
#include <llamavisor/text.hpp>
#include <thread>

namespace {

using namespace llamavisor;

class Probe final : public Eviction {
 public:
  Probe(Host host, const Config& config) : host_(host), mode_(config.text("mode")) {
    if (mode_ == "throw in constructor") {
      throw PluginError(LLV_E_INVALID, "no probe today");
    }
    if (mode_ == "wrong getter") {
      (void)config.number("mode");
    }
    if (mode_ == "echo") {
      host_.log(LLV_LOG_INFO,
                std::to_string(config.integer("integer")) + " " + std::to_string(config.number("number")) +
                    " " + (config.flag("flag") ? "yes" : "no") + " " +
                    text::duration(config.duration("duration")) + " " + text::bytes(config.bytes("bytes")));
      for (const std::string& item : config.list("list")) {
        host_.log(LLV_LOG_INFO, item);
      }
    }
  }

  void rank(const Snapshot& snapshot, Bytes need, Victims& out) override {
    if (mode_ == "throw") {
      throw std::runtime_error("the probe failed");
    }
    if (mode_ == "throw a code") {
      throw PluginError(LLV_E_TIMEOUT, "too slow");
    }
    if (mode_ == "throw a number") {
      throw 42;
    }
    if (mode_ == "long text") {
      std::string text(510, 'x');
      throw std::runtime_error(text + "\xe2\x82\xac\xe2\x82\xac");  // two euro signs across the end
    }
    for (const Model& model : snapshot) {
      out.add(model, static_cast<double>(need), describe(snapshot, model));
    }
    for (; mode_ == "wait" && host_.now().count() != 0;) {
      std::this_thread::yield();  // the test's clock lets it go
    }
  }

  void reconfigure(const Config& config) {
    if (config.text("mode") == "needs restart") {
      throw PluginError(LLV_E_NEEDS_RESTART, "not on the fly");
    }
    mode_ = config.text("mode");
  }
  [[nodiscard]] std::string save() const { return "mode=" + mode_; }
  void restore(std::string_view saved) { host_.log(LLV_LOG_INFO, "restored " + std::string(saved)); }

 private:
  // Every value that is known.
  static std::string describe(const Snapshot& snapshot, const Model& model) {
    std::string out(model.name);
    const auto say = [&out](const char* what, const auto& value) {
      out += value ? std::string(" ") + what + "=" + std::to_string(*value) : "";
    };
    const auto say_time = [&out](const char* what, const auto& value) {
      out += value ? std::string(" ") + what + "=" + text::duration(*value) : "";
    };
    say("size", model.size);
    say("rss", model.rss);
    say("vram", model.vram);
    say_time("idle", model.idle);
    say_time("resident", model.resident);
    say("in_flight", model.in_flight);
    say("context", model.context_length);
    say("uses", model.use_count);
    say_time("load", model.load_duration);
    say("limit", snapshot.limit);
    say("used", snapshot.used);
    say("available", snapshot.available);
    say("some", snapshot.psi_some);
    say("full", snapshot.psi_full);
    return out + (model.pinned ? " pinned" : "") + (model.settling ? " settling" : "");
  }

  Host host_;
  std::string mode_;
};

}  // namespace

LLV_PLUGIN(Probe, "probe", "0.0.1", "Does what its configuration says",
           key(LLV_KEY_STR, "mode", "", "what to do"), key(LLV_KEY_I64, "integer", "0", "a number", -5, 5),
           key(LLV_KEY_F64, "number", "0.5", "a fraction"), key(LLV_KEY_BOOL, "flag", "false", "a switch"),
           key(LLV_KEY_DURATION, "duration", "1s", "a time"), key(LLV_KEY_BYTES, "bytes", "1MB", "a size"),
           key(LLV_KEY_STR_LIST, "list", "[]", "some words"))
