// Bodies that are not plain JSON: multipart forms and zstd.
#include <zstd.h>

#include <algorithm>
#include <array>

#include "gateway/body_scan.h"
#include "gateway/http_head.h"

namespace llamavisor {
namespace {

// boundary=xyz or boundary="xyz" (RFC 2046, 5.1.1: at most 70 characters)
std::string boundary_of(std::string_view content_type) {
  const std::size_t at = content_type.find("boundary=");
  if (at == std::string_view::npos) {
    return {};
  }
  std::string_view value = content_type.substr(at + 9);
  if (value.starts_with('"')) {
    value = value.substr(1, value.find('"', 1) - 1);
  } else {
    value = value.substr(0, value.find_first_of("; \t"));
  }
  return value.size() > 70 ? std::string() : "--" + std::string(value);
}

bool is_model_field(std::string_view part_head) {
  return part_head.find("name=\"model\"") != std::string_view::npos ||
         part_head.find("name=model\r\n") != std::string_view::npos ||
         part_head.find("name=model;") != std::string_view::npos;
}

}  // namespace

std::optional<std::string> model_in_form(std::string_view content_type, std::string_view body) {
  const std::string boundary = boundary_of(content_type);
  std::optional<std::string> found;
  std::size_t part = boundary.empty() ? std::string_view::npos : body.find(boundary);
  while (part != std::string_view::npos) {
    const std::size_t head = part + boundary.size();
    const std::size_t content = body.find("\r\n\r\n", head);
    const std::size_t next = body.find("\r\n" + boundary, head);
    if (content == std::string_view::npos || next == std::string_view::npos) {
      break;
    }
    if (!found && content < next && is_model_field(body.substr(head, content + 2 - head))) {
      found = std::string(body.substr(content + 4, next - content - 4));  // Go's FormValue: the first wins
    }
    part = next + 2;
  }
  return found;
}

std::optional<std::string> decode_zstd(std::string_view data, std::size_t max_bytes) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 23);  // 8 MiB of window at most
  ZSTD_inBuffer in{data.data(), data.size(), 0};
  std::string out;
  std::array<char, 64 * 1024> piece{};
  while (true) {
    ZSTD_outBuffer to{piece.data(), piece.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left) != 0U || out.size() + to.pos > max_bytes) {
      return std::nullopt;
    }
    out.append(piece.data(), to.pos);
    const bool input_used_up = in.pos == in.size && to.pos < to.size;
    if (input_used_up) {
      return left == 0 ? std::optional(std::move(out)) : std::nullopt;
    }
  }
}

}  // namespace llamavisor
