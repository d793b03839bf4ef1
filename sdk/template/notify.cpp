// my_plugin: a notifier. Change on_event().
//
// This one puts a line for each event into llamavisor's log, behind a word of the user's choice.
#include <llamavisor/plugin.hpp>

namespace {

using namespace llamavisor;

class Bell final : public Notifier {
 public:
  // Read the configuration here: it is checked already, and valid only now.
  Bell(Host host, const Config& config) : host_(host), word_(config.text("word")) {}

  // On a thread of its own: it may wait, up to [policy] notify_deadline. Throw when there is nobody to tell:
  // `throw PluginError(LLV_E_UNAVAILABLE, "no ...")` is shown in `status`.
  void on_event(const Event& event) override {
    host_.log(LLV_LOG_INFO, word_ + " " + std::string(event.summary) + ". " + std::string(event.body));
  }

 private:
  Host host_;
  std::string word_;
};

}  // namespace

// Class, id, version, one line about it, and the keys of [plugins.my_plugin].
LLV_PLUGIN(Bell, "my_plugin", "0.1.0", "Writes each event to the log",
           key(LLV_KEY_STR, "word", "ding:", "what each line begins with"))
