// event_file: a C++ notifier that appends each event to a file as one line of JSON, numbered by `n`. The
// numbers go on after a swap (save and restore), and a changed file name reaches the running instance
// (reconfigure).
#include <fstream>
#include <llamavisor/plugin.hpp>

namespace {

using namespace llamavisor;

class EventFile final : public Notifier {
 public:
  EventFile(Host /*host*/, const Config& config) { reconfigure(config); }

  void on_event(const Event& event) override {
    std::ofstream file(path_, std::ios::app);
    file << R"({"n":)" << written_ + 1 << R"(,"event":)" << event.json << "}\n";
    if (!file.flush()) {
      throw PluginError(LLV_E_UNAVAILABLE, "cannot write " + path_);
    }
    ++written_;
  }

  void reconfigure(const Config& config) {
    std::string path = config.text("path");
    if (path.empty() || path[0] != '/') {
      throw PluginError(LLV_E_INVALID, "path: name the file from the root, like /var/log/events.jsonl");
    }
    path_ = std::move(path);
  }
  [[nodiscard]] std::string save() const { return std::to_string(written_); }
  void restore(std::string_view saved) { written_ = std::stoull(std::string(saved)); }

 private:
  std::string path_;
  unsigned long long written_ = 0;
};

}  // namespace

LLV_PLUGIN(EventFile, "event_file", "1.0.0", "Writes each event to a file (an example in C++)",
           key(LLV_KEY_STR, "path", nullptr, "the file, which grows by a line of JSON for each event", 0, 0,
               LLV_KEY_REQUIRED))
