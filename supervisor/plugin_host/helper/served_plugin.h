// The plugin in a helper process: answers the questions of helper_messages.h by calling it. Thread: main; the
// plugin's log lines too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin_host/helper_messages.h"
#include "plugin_host/library.h"

namespace llamavisor {

class ServedPlugin {
 public:
  explicit ServedPlugin(std::shared_ptr<PluginLibrary> library);
  ServedPlugin(const ServedPlugin&) = delete;
  ServedPlugin& operator=(const ServedPlugin&) = delete;
  ~ServedPlugin() = default;  // the instance ends with the process

  // The answer to one question.
  Packer answer(std::string_view question);

 private:
  struct Line {
    std::int32_t level = 0;
    std::string text;
  };
  // The values of the answer go to `out`; the code is what the plugin said.
  std::int32_t call(Ask kind, Unpacker& in, llv_text* error, Packer& out);
  std::int32_t create(Unpacker& in, llv_text* error);
  std::int32_t reconfigure(Unpacker& in, llv_text* error);
  std::int32_t save(Packer& out);
  std::int32_t rank(Ask kind, Unpacker& in, llv_text* error, Packer& out);
  std::int32_t choose(Unpacker& in, llv_text* error, Packer& out);
  std::int32_t notify(Unpacker& in, llv_text* error);

  std::shared_ptr<PluginLibrary> library_;
  const llv_plugin* plugin_ = nullptr;  // once created
  void* self_ = nullptr;
  llv_host host_{};
  std::uint64_t ahead_ns_ = 0;  // of our clock: the host's now
  std::vector<Line> lines_;
};

}  // namespace llamavisor
