#include "gateway/http_head.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

namespace llamavisor {
namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

std::string_view std_view(string_view text) {
  return {text.data(), text.size()};
}

// Beast's parser with callbacks that keep views and copy nothing.
template <bool kRequest>
class HeadParser : public http::basic_parser<kRequest> {
 public:
  explicit HeadParser(std::vector<HeaderField>* fields) : fields_(fields) {
    this->header_limit(kMaxHeadBytes);
    this->body_limit(boost::none);
  }
  string_view method;
  string_view target;
  int version = 0;
  int status = 0;

 private:
  void on_request_impl(http::verb, string_view method_text, string_view target_text, int v,
                       error_code&) override {
    method = method_text;
    target = target_text;
    version = v;
  }
  void on_response_impl(int code, string_view, int v, error_code&) override {
    status = code;
    version = v;
  }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    if (fields_ != nullptr) {
      fields_->push_back({std_view(name), std_view(value)});
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  std::vector<HeaderField>* fields_;
};

// Beast accepts folded lines; a relay must not, since the server behind might read them otherwise. Bare CR,
// bare LF and NUL are looked for here once, over the raw bytes.
const char* bad_bytes(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    return "NUL in the request head";
  }
  for (std::size_t i = 0; (i = text.find_first_of("\r\n", i)) != std::string_view::npos; i += 2) {
    if (text.substr(i, 2) != "\r\n") {
      return "bare CR or LF in the request head";
    }
    if (i + 2 < text.size() && (text[i + 2] == ' ' || text[i + 2] == '\t')) {
      return "folded line in the request head";
    }
  }
  return nullptr;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct FieldCounts {
  int host = 0;
  int content_length = 0;
  int transfer_encoding = 0;
};

const char* check_fields(const RequestHead& head, FieldCounts& counts) {
  for (const HeaderField& field : head.fields) {
    if (iequals(field.name, "host")) {
      ++counts.host;
    } else if (iequals(field.name, "content-length")) {
      ++counts.content_length;
      if (!all_digits(field.value)) {
        return "malformed Content-Length";
      }
    } else if (iequals(field.name, "transfer-encoding")) {
      ++counts.transfer_encoding;
      if (!iequals(field.value, "chunked")) {
        return "unsupported Transfer-Encoding";
      }
    }
  }
  return nullptr;
}

const char* check_framing(const RequestHead& head) {
  FieldCounts counts;
  if (const char* bad = check_fields(head, counts)) {
    return bad;
  }
  if (counts.host > 1 || (counts.host == 0 && head.version >= 11)) {
    return "missing or repeated Host";
  }
  if (counts.content_length > 1) {
    return "repeated Content-Length";
  }
  if (counts.transfer_encoding > 1 || (counts.transfer_encoding == 1 && counts.content_length == 1)) {
    return "conflicting Content-Length and Transfer-Encoding";
  }
  if (counts.transfer_encoding == 1 && head.version < 11) {
    return "Transfer-Encoding in an HTTP/1.0 request";
  }
  return nullptr;
}

Framing response_framing(const HeadParser<false>& parser, bool to_head_request) {
  const bool bodyless =
      to_head_request || parser.status / 100 == 1 || parser.status == 204 || parser.status == 304;
  if (bodyless) {
    return Framing::none;
  }
  if (parser.chunked()) {
    return Framing::chunked;
  }
  return parser.content_length() ? Framing::length : Framing::until_close;
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
           return lower(x) == lower(y);
         });
}

std::string_view RequestHead::field(std::string_view name) const {
  for (const HeaderField& entry : fields) {
    if (iequals(entry.name, name)) {
      return entry.value;
    }
  }
  return {};
}

std::size_t head_length(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  return end == std::string_view::npos ? 0 : end + 4;
}

std::optional<HeadError> parse_request_head(std::string_view text, RequestHead& out) {
  if (const char* bad = bad_bytes(text)) {
    return HeadError{400, bad};
  }
  out.fields.clear();
  HeadParser<true> parser(&out.fields);
  error_code ec;
  parser.put(boost::asio::buffer(text.data(), text.size()), ec);
  if (ec && ec != http::error::need_more) {
    return HeadError{400, ec == http::error::header_limit ? "head too large" : "malformed request head"};
  }
  if (!parser.is_header_done()) {
    return HeadError{400, "malformed request head"};
  }
  out.method = std_view(parser.method);
  out.target = std_view(parser.target);
  out.version = static_cast<unsigned>(parser.version);
  if (const char* bad = check_framing(out)) {
    return HeadError{400, bad};
  }
  out.framing = parser.chunked()          ? Framing::chunked
                : parser.content_length() ? Framing::length
                                          : Framing::none;
  out.content_length = parser.content_length().value_or(0);
  out.keep_alive = parser.keep_alive();
  out.expects_continue = out.version >= 11 && iequals(out.field("expect"), "100-continue");
  return std::nullopt;
}

std::optional<HeadError> parse_response_head(std::string_view text, bool to_head_request, ResponseHead& out) {
  HeadParser<false> parser(nullptr);
  error_code ec;
  parser.put(boost::asio::buffer(text.data(), text.size()), ec);
  if ((ec && ec != http::error::need_more) || !parser.is_header_done()) {
    return HeadError{502, "malformed answer head"};
  }
  out.status = static_cast<unsigned>(parser.status);
  out.framing = response_framing(parser, to_head_request);
  out.content_length = parser.content_length().value_or(0);
  // Beast's keep_alive() says no for a body that ends with the connection; HEAD, 204 and 304 have none.
  out.keep_alive = parser.keep_alive() || (out.framing == Framing::none && parser.version == 11);
  return std::nullopt;
}

}  // namespace llamavisor
