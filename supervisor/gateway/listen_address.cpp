#include <charconv>

#include "gateway/gateway.h"

namespace llamavisor {
namespace {

namespace ip = boost::asio::ip;

struct HostPort {
  std::string host;
  std::string port;
};

// "[::1]:80", "::1", "host:80", "host", ":80"
HostPort split(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = std::min(text.find(']'), text.size());
    const std::string_view rest = text.substr(std::min(end + 1, text.size()));
    return {std::string(text.substr(1, end - 1)), std::string(rest.starts_with(':') ? rest.substr(1) : "")};
  }
  const std::size_t colon = text.find(':');
  const bool bare_v6 = colon != text.rfind(':');
  if (colon == std::string_view::npos || bare_v6) {
    return {std::string(text), ""};
  }
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

// What Go's envconfig does: http means 80, https 443, no scheme 11434.
std::string strip_scheme(std::string_view& text) {
  for (const auto& [scheme, port] : {std::pair<std::string_view, std::string>{"http://", "80"},
                                     std::pair<std::string_view, std::string>{"https://", "443"}}) {
    if (text.starts_with(scheme)) {
      text.remove_prefix(scheme.size());
      return port;
    }
  }
  return "11434";
}

}  // namespace

std::string ListenAddress::text() const {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

Result<ListenAddress> parse_listen(std::string_view text) {
  const std::string whole(text);
  const std::string default_port = strip_scheme(text);
  text = text.substr(0, text.find('/'));
  HostPort parts = split(text);
  if (parts.host.empty() || parts.host == "localhost") {
    parts.host = "127.0.0.1";
  }
  const std::string port_text = parts.port.empty() ? default_port : parts.port;
  unsigned port = 0;
  const auto parsed = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  boost::system::error_code ec;
  const ip::address address = ip::make_address(parts.host, ec);
  if (ec || port > 65535 || parsed.ptr != port_text.data() + port_text.size()) {
    return Error("\"" + whole + "\" is not an address to listen on",
                 "write an IP address and a port, like 127.0.0.1:11434");
  }
  return ListenAddress{{address, static_cast<std::uint16_t>(port)}};
}

}  // namespace llamavisor
