#include "support/fake_http.h"

#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <stdexcept>

namespace llamavisor::testing {
namespace {

void keep(std::string& target, std::string_view bytes) {
  target += bytes.substr(0, FakeRequest::kKeptBody - std::min(target.size(), FakeRequest::kKeptBody));
}

bool has_no_body(const FakeRequest& request, const FakeAnswer& answer) {
  return request.method == "HEAD" || answer.framing == Framing::no_content ||
         answer.framing == Framing::not_modified;
}

std::size_t total_bytes(const FakeAnswer& answer) {
  std::size_t total = 0;
  for (const std::string& piece : answer.pieces) {
    total += piece.size();
  }
  return total;
}

std::string length_header(const FakeAnswer& answer) {
  switch (answer.framing) {
    case Framing::content_length:
    case Framing::early:
    case Framing::not_modified:
      return "Content-Length: " + std::to_string(total_bytes(answer)) + "\r\n";
    case Framing::until_close:
      return "Connection: close\r\n";
    case Framing::http10:
    case Framing::no_content:
      return {};
    case Framing::chunk_extras:
      return "Transfer-Encoding: chunked\r\nTrailer: X-Fake-Trailer\r\n";
    default:
      return "Transfer-Encoding: chunked\r\n";
  }
}

std::string head_of(const FakeAnswer& answer) {
  const int status = answer.framing == Framing::no_content     ? 204
                     : answer.framing == Framing::not_modified ? 304
                                                               : answer.status;
  const char* version = answer.framing == Framing::http10 ? "HTTP/1.0 " : "HTTP/1.1 ";
  return version + std::to_string(status) + " Fake\r\nContent-Type: " + answer.content_type + "\r\n" +
         answer.extra_headers + length_header(answer) + "\r\n";
}

bool is_chunked(Framing framing) {
  return framing == Framing::chunked || framing == Framing::interim || framing == Framing::cut ||
         framing == Framing::reset || framing == Framing::chunk_extras;
}

std::string hex(std::size_t value) {
  std::array<char, 32> text{};
  return {text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%zx", value))};
}

std::string framed(const FakeAnswer& answer, const std::string& piece) {
  if (!is_chunked(answer.framing)) {
    return piece;
  }
  const char* extension = answer.framing == Framing::chunk_extras ? ";fake=\"1\"" : "";
  return hex(piece.size()) + extension + "\r\n" + piece + "\r\n";
}

std::string last_chunk(Framing framing) {
  if (framing == Framing::chunk_extras) {
    return "0\r\nX-Fake-Trailer: end\r\n\r\n";
  }
  return is_chunked(framing) ? "0\r\n\r\n" : "";
}

}  // namespace

std::string FakeRequest::header(std::string_view name) const {
  std::size_t at = head.find("\r\n");
  while (at != std::string::npos && at + 2 < head.size()) {
    const std::size_t end = head.find("\r\n", at + 2);
    const std::string line = head.substr(at + 2, end - at - 2);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        ::strncasecmp(line.c_str(), name.data(), name.size()) == 0) {
      const std::size_t value = line.find_first_not_of(" \t", name.size() + 1);
      return value == std::string::npos ? "" : line.substr(value);
    }
    at = end;
  }
  return {};
}

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash) {
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return hash;
}

Framing framing_of(std::string_view name) {
  static const std::map<std::string_view, Framing> names{{"chunked", Framing::chunked},
                                                         {"content_length", Framing::content_length},
                                                         {"until_close", Framing::until_close},
                                                         {"http10", Framing::http10},
                                                         {"chunk_extras", Framing::chunk_extras},
                                                         {"interim", Framing::interim},
                                                         {"early", Framing::early},
                                                         {"no_content", Framing::no_content},
                                                         {"not_modified", Framing::not_modified},
                                                         {"cut", Framing::cut},
                                                         {"reset", Framing::reset}};
  const auto it = names.find(name);
  if (it == names.end()) {
    throw std::invalid_argument("fake_ollama: unknown framing " + std::string(name));
  }
  return it->second;
}

bool FakeConnection::fill() {
  std::array<char, 64U << 10U> bytes{};
  ssize_t got = 0;
  do {
    got = ::recv(socket_, bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  buffer_.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

bool FakeConnection::read_head(FakeRequest& request) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) {
      return false;
    }
  }
  request.head = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  const std::size_t method = request.head.find(' ');
  const std::size_t target = request.head.find(' ', method + 1);
  if (target == std::string::npos) {
    return false;
  }
  request.method = request.head.substr(0, method);
  request.target = request.head.substr(method + 1, target - method - 1);
  request.body_hash = fnv1a("");
  return true;
}

bool FakeConnection::read_body(FakeRequest& request) {
  if (::strcasecmp(request.header("Expect").c_str(), "100-continue") == 0 &&
      !write("HTTP/1.1 100 Continue\r\n\r\n")) {
    return false;
  }
  if (::strcasecmp(request.header("Transfer-Encoding").c_str(), "chunked") == 0) {
    return read_chunks(request);
  }
  const std::string length = request.header("Content-Length");
  std::size_t left = length.empty() ? 0 : std::stoull(length);
  while (left > 0) {
    const std::size_t part = std::min<std::size_t>(left, 64U << 10U);
    if (!take(part, request)) {
      return false;
    }
    left -= part;
  }
  return true;
}

bool FakeConnection::take(std::size_t bytes, FakeRequest& request) {
  while (bytes > 0) {
    if (buffer_.empty() && !fill()) {
      return false;
    }
    const std::string_view part = std::string_view(buffer_).substr(0, bytes);
    keep(request.body, part);
    keep(request.raw_body, part);
    request.body_bytes += part.size();
    request.body_hash = fnv1a(part, request.body_hash);
    bytes -= part.size();
    buffer_.erase(0, part.size());
  }
  return true;
}

bool FakeConnection::take_line(std::string& line, FakeRequest& request) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!fill()) {
      return false;
    }
  }
  line = buffer_.substr(0, end);
  keep(request.raw_body, line + "\r\n");
  buffer_.erase(0, end + 2);
  return true;
}

bool FakeConnection::read_chunks(FakeRequest& request) {
  std::string line;
  while (take_line(line, request)) {
    const std::size_t size = std::stoull(line, nullptr, 16);
    if (size == 0) {
      while (take_line(line, request)) {
        if (line.empty()) {
          return true;
        }
      }
      return false;
    }
    if (!take(size, request) || !take_line(line, request)) {
      return false;
    }
  }
  return false;
}

bool FakeConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) {
      continue;
    }
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool FakeConnection::send(const FakeRequest& request, const FakeAnswer& answer) {
  if (answer.framing == Framing::interim &&
      !write("HTTP/1.1 103 Early Hints\r\nLink: </fake>; rel=preload\r\n\r\n")) {
    return false;
  }
  if (has_no_body(request, answer)) {
    return write(head_of(answer));
  }
  // The head goes out with the first piece, as Go does it.
  if (answer.before_piece && !answer.before_piece(0)) {
    return false;
  }
  return write(head_of(answer)) && send_pieces(answer);
}

bool FakeConnection::send_pieces(const FakeAnswer& answer) {
  const bool breaks = answer.framing == Framing::cut || answer.framing == Framing::reset;
  for (std::size_t i = 0; i < answer.pieces.size(); ++i) {
    if (i > 0 && answer.before_piece && !answer.before_piece(i)) {
      return false;
    }
    if (breaks && i == answer.cut_after) {
      if (answer.framing == Framing::reset) {
        reset();
      }
      return false;
    }
    if (!write(framed(answer, answer.pieces[i]))) {
      return false;
    }
  }
  if (!write(last_chunk(answer.framing))) {
    return false;
  }
  return answer.framing != Framing::until_close && answer.framing != Framing::http10 &&
         answer.framing != Framing::early;
}

bool FakeConnection::client_is_gone() const {
  pollfd state{socket_, POLLIN | POLLRDHUP, 0};
  ::poll(&state, 1, 0);
  return (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void FakeConnection::linger() {
  ::shutdown(socket_, SHUT_WR);
  std::size_t taken = 0;
  for (buffer_.clear(); taken < (256U << 10U) && fill(); buffer_.clear()) {
    taken += buffer_.size();
  }
}

void FakeConnection::reset() {
  const ::linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace llamavisor::testing
