#include "gateway/host_guard.h"

#include "support/catch.h"

using namespace llamavisor;

TEST_CASE("a Host that can only be this machine is allowed, a name of the web is not", "[host]") {
  const HostGuard loopback(true);
  for (const char* host : {"", "localhost", "localhost:11434", "127.0.0.1:1", "[::1]:11434", "0.0.0.0:80",
                           "192.168.1.2:11434", "a.localhost", "printer.local", "db.internal:1"}) {
    CAPTURE(host);
    CHECK(loopback.host_allowed(host));
  }
  for (const char* host : {"evil.example", "evil.example:11434", "8.8.8.8", "127.0.0.1.evil.example",
                           "localhost.evil.example", "[2001:db8::1]:1"}) {
    CAPTURE(host);
    CHECK_FALSE(loopback.host_allowed(host));
  }
  CHECK(HostGuard(false).host_allowed("evil.example"));
}

TEST_CASE("a page is of the same origin when its Host is the one it was asked under", "[host]") {
  CHECK(is_same_origin("http://box:11434", "box:11434"));
  CHECK(is_same_origin("https://BOX", "box"));
  CHECK_FALSE(is_same_origin("http://box:11434", "box:80"));
  CHECK_FALSE(is_same_origin("http://evil.example", "localhost:11434"));
  CHECK_FALSE(is_same_origin("null", ""));
}

TEST_CASE("origins are allowed by Ollama's own list and the owner's", "[host]") {
  const std::vector<std::string> more{"https://chat.example", "chrome-extension://*", "http://*.lan:3000"};
  for (const char* origin : {"http://localhost", "https://127.0.0.1:8443", "http://0.0.0.0:1", "app://x",
                             "file://", "tauri://localhost", "vscode-webview://a", "vscode-file://b",
                             "https://chat.example", "chrome-extension://abc", "http://nas.lan:3000"}) {
    CAPTURE(origin);
    CHECK(is_allowed_origin(origin, more));
  }
  for (const char* origin :
       {"http://evil.example", "https://chat.example:444", "http://localhost.evil.example", "null",
        "http://nas.lan", "moz-extension://abc"}) {
    CAPTURE(origin);
    CHECK_FALSE(is_allowed_origin(origin, more));
  }
}
