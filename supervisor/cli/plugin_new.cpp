// Writes a plugin project: the installed template of a role and language, with the plugin's own id in it.
#include <boost/algorithm/string/replace.hpp>
#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "cli/commands.h"
#include "plugin_host/library.h"
#include "store/paths.h"

namespace llamavisor {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxFileBytes = 1U << 16U;

int fail(const Error& error, int code) {
  std::fprintf(stderr, "llamavisor: %s\n", error.text().c_str());
  return code;
}

// What stands for the id and the language in a template.
Result<void> write_from_template(const std::string& from, const fs::path& to, const std::string& id,
                                 const std::string& language) {
  auto text = read_file(template_dir() + "/" + from, kMaxFileBytes);
  if (!text) {
    return Error(text.error().message, "install the SDK: cmake --install BUILD --component sdk");
  }
  boost::replace_all(*text, "my_plugin", id);
  boost::replace_all(*text, "@LANGUAGE@", language == "c" ? "C" : "CXX");
  boost::replace_all(*text, "@SUFFIX@", language == "c" ? "c" : "cpp");
  return write_file_atomically(to.string(), *text);
}

}  // namespace

int run_plugin_new(const std::string& name, const std::string& role, const std::string& language) {
  if (!is_plugin_id(name)) {
    return fail(
        Error(name + " is not a plugin id", "lower-case letters, digits and _, a letter first, at most 32"),
        kUsage);
  }
  const fs::path folder = fs::absolute(name);
  std::error_code ec;
  if (fs::exists(folder, ec)) {
    return fail(Error(folder.string() + " is there already", "choose another name or another folder"),
                kFailed);
  }
  const std::string suffix = language == "c" ? ".c" : ".cpp";
  const std::pair<std::string, std::string> files[] = {{"CMakeLists.txt", "CMakeLists.txt"},
                                                       {role + suffix, name + suffix}};
  for (const auto& [from, to] : files) {
    if (auto written = write_from_template(from, folder / to, name, language); !written) {
      return fail(written.error(), kFailed);
    }
  }
  std::printf(
      "%s is written. Build, check and use it:\n"
      "  cmake -S %s -B %s/build -DCMAKE_PREFIX_PATH=%s -DCMAKE_INSTALL_PREFIX=%s\n"
      "  cmake --build %s/build\n"
      "  llamavisor plugin check %s/build/lib/llamavisor/plugins/%s.so\n"
      "  cmake --install %s/build && llamavisor plugin use %s %s\n",
      (folder / files[1].second).c_str(), name.c_str(), name.c_str(), install_prefix().c_str(),
      install_prefix().c_str(), name.c_str(), name.c_str(), name.c_str(), name.c_str(), role.c_str(),
      name.c_str());
  return kDone;
}

}  // namespace llamavisor
