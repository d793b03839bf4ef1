#include "domain/model.h"

namespace llamavisor {
namespace {

bool strip_prefix(std::string& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.erase(0, prefix.size());
  return true;
}

}  // namespace

std::string canonical_model_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  for (const std::string_view scheme : {"https://", "http://"}) {
    strip_prefix(out, scheme);
  }
  strip_prefix(out, "registry.ollama.ai/");
  strip_prefix(out, "library/");
  const std::size_t slash = out.rfind('/');
  if (out.find(':', slash == std::string::npos ? 0 : slash) == std::string::npos) {
    out += ":latest";
  }
  return out;
}

bool is_cloud_model_name(std::string_view canonical) {
  return canonical.ends_with(":cloud") || canonical.ends_with("-cloud");
}

}  // namespace llamavisor
