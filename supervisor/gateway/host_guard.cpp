#include "gateway/host_guard.h"

#include <ifaddrs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <memory>

namespace llamavisor {
namespace {

namespace ip = boost::asio::ip;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// "name:80" -> "name", "[::1]:80" -> "::1"
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(1, end - 1);
  }
  return host.substr(0, host.rfind(':'));
}

// RFC 1918 and RFC 4193, Go's IP.IsPrivate.
bool is_private(const ip::address& address) {
  if (address.is_v6()) {
    return (address.to_v6().to_bytes()[0] & 0xfeU) == 0xfcU;
  }
  const auto b = address.to_v4().to_bytes();
  return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0U) == 16) || (b[0] == 192 && b[1] == 168);
}

std::set<std::string> own_addresses() {
  std::set<std::string> out;
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) {
    return out;
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(raw, &freeifaddrs);
  for (const ifaddrs* entry = raw; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == AF_INET) {
      ip::address_v4::bytes_type bytes;
      const auto* in = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      std::copy_n(reinterpret_cast<const unsigned char*>(&in->sin_addr), 4, bytes.begin());
      out.insert(ip::address_v4(bytes).to_string());
    } else if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == AF_INET6) {
      ip::address_v6::bytes_type bytes;
      const auto* in = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      std::copy_n(reinterpret_cast<const unsigned char*>(&in->sin6_addr), 16, bytes.begin());
      out.insert(ip::address_v6(bytes).to_string());
    }
  }
  return out;
}

}  // namespace

HostGuard::HostGuard(bool loopback) : loopback_(loopback), own_names_(own_addresses()) {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == 0) {
    own_names_.insert(lower(name.data()));
  }
}

bool HostGuard::host_allowed(std::string_view host) const {
  if (!loopback_) {
    return true;
  }
  const std::string name = lower(without_port(host));
  if (name.empty() || name == "localhost" || own_names_.contains(name)) {
    return true;
  }
  boost::system::error_code ec;
  const ip::address address = ip::make_address(name, ec);
  if (!ec) {
    return address.is_loopback() || address.is_unspecified() || is_private(address);
  }
  return name.ends_with(".localhost") || name.ends_with(".local") || name.ends_with(".internal");
}

namespace {

bool matches(std::string_view pattern, std::string_view origin) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    return pattern == origin;
  }
  const std::string_view head = pattern.substr(0, star);
  const std::string_view tail = pattern.substr(star + 1);
  return origin.size() >= head.size() + tail.size() && origin.starts_with(head) && origin.ends_with(tail);
}

}  // namespace

bool is_allowed_origin(std::string_view origin, const std::vector<std::string>& more) {
  for (const std::string_view scheme :
       {"app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*"}) {
    if (matches(scheme, origin)) {
      return true;
    }
  }
  for (const std::string host : {"localhost", "127.0.0.1", "0.0.0.0"}) {
    for (const std::string& own : {"http://" + host, "https://" + host}) {
      if (origin == own || matches(own + ":*", origin)) {
        return true;
      }
    }
  }
  return std::any_of(more.begin(), more.end(),
                     [&](const std::string& pattern) { return matches(pattern, origin); });
}

bool is_same_origin(std::string_view origin, std::string_view host) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme) && iequals(origin.substr(scheme.size()), host)) {
      return true;
    }
  }
  return false;
}

}  // namespace llamavisor
