// Just enough HTTP/1.1, on blocking sockets, for a server that misbehaves on purpose.
// Thread: one connection, one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace llamavisor::testing {

struct FakeRequest {
  std::string method;
  std::string target;
  std::string head;              // as received, with the empty line
  std::string body;              // decoded; the first kKeptBody bytes
  std::string raw_body;          // as received, chunk sizes and all; the first kKeptBody bytes
  std::uint64_t body_bytes = 0;  // decoded, all of them
  std::uint64_t body_hash = 0;   // FNV-1a of all of them

  static constexpr std::size_t kKeptBody = 1U << 20U;
  [[nodiscard]] std::string path() const { return target.substr(0, target.find('?')); }
  [[nodiscard]] std::string header(std::string_view name) const;  // first value, or ""
};

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325U);

// The way in which an answer leaves. All but the first few are things that Go's server does not do.
enum class Framing {
  chunked,
  content_length,
  until_close,   // HTTP/1.1 with "Connection: close"
  http10,        // HTTP/1.0, ends with the connection
  chunk_extras,  // chunk extensions and a trailer
  interim,       // "103 Early Hints" first
  early,         // the whole answer before the request's body is read
  no_content,    // 204
  not_modified,  // 304 with a Content-Length and no body
  cut,           // closes in mid-stream, after `cut_after` pieces
  reset          // the same with a TCP reset
};

Framing framing_of(std::string_view name);  // "chunked", "content_length", ...; unknown: throws

struct FakeAnswer {
  int status = 200;
  std::string content_type = "application/json; charset=utf-8";
  std::vector<std::string> pieces;
  std::string extra_headers;  // "Name: value\r\n"...
  Framing framing = Framing::content_length;
  std::size_t cut_after = 1;  // pieces, for cut and reset
  std::string used_model;     // its request counts as in flight until the answer is out
  // Called before each piece with its number; false: stop here and close.
  std::function<bool(std::size_t)> before_piece;
};

class FakeConnection {
 public:
  explicit FakeConnection(int socket) : socket_(socket) {}

  // False: the client is gone, or sent no request.
  bool read_head(FakeRequest& request);
  // Answers "Expect: 100-continue" first. False: the client went away in the middle.
  bool read_body(FakeRequest& request);
  // False: the connection cannot be used any more.
  bool send(const FakeRequest& request, const FakeAnswer& answer);
  [[nodiscard]] bool client_is_gone() const;
  void linger();  // after an early answer: take some of the body, as Go does, so that it is not lost to a RST
  void reset();   // RST when the socket is closed

 private:
  bool fill();
  bool take(std::size_t bytes, FakeRequest& request);  // decoded body bytes
  bool take_line(std::string& line, FakeRequest& request);
  bool read_chunks(FakeRequest& request);
  bool write(std::string_view bytes);
  bool send_pieces(const FakeAnswer& answer);

  int socket_;
  std::string buffer_;
};

}  // namespace llamavisor::testing
