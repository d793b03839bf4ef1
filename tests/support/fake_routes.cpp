// What the fake Ollama answers.
#include <boost/json.hpp>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "domain/model.h"
#include "support/fake_ollama.h"

namespace llamavisor::testing {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
constexpr milliseconds kForEver = std::chrono::hours(24);

FakeAnswer json_answer(const json::value& body, int status = 200) {
  FakeAnswer out;
  out.status = status;
  out.pieces = {json::serialize(body)};
  return out;
}

// The client is gone, or is to be left without an answer.
FakeAnswer no_answer() {
  FakeAnswer out;
  out.status = 0;
  return out;
}

FakeAnswer error_answer(int status, const std::string& text) {
  return json_answer(json::object{{"error", text}}, status);
}

FakeAnswer text_answer(int status, const std::string& text) {
  FakeAnswer out;
  out.status = status;
  out.content_type = "text/plain";
  out.pieces = {text};
  return out;
}

// The first value of a key; an object when the body is none.
json::object body_object(const FakeRequest& request) {
  boost::system::error_code ec;
  json::value value = json::parse(request.body, ec);
  return !ec && value.is_object() ? value.get_object() : json::object();
}

std::string text_of(const json::object& body, const char* key) {
  const json::value* value = body.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

bool flag_of(const json::object& body, const char* key, bool otherwise) {
  const json::value* value = body.if_contains(key);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

bool is_empty(const json::object& body, const char* key) {
  const json::value* value = body.if_contains(key);
  return value == nullptr || (value->is_string() && value->get_string().empty()) ||
         (value->is_array() && value->get_array().empty());
}

// Seconds as a number, or "300ms", "5s", "5m", "1h"; negative: for ever. Absent: nothing to change.
std::optional<milliseconds> keep_alive_of(const json::object& body) {
  const json::value* value = body.if_contains("keep_alive");
  if (value == nullptr || value->is_null()) {
    return std::nullopt;
  }
  double seconds = 0;
  if (value->is_number()) {
    seconds = value->to_number<double>();
  } else if (value->is_string()) {
    const std::string text(value->get_string());
    std::size_t unit = 0;
    seconds = std::stod(text, &unit);
    seconds *= text.substr(unit) == "ms"  ? 0.001
               : text.substr(unit) == "m" ? 60
               : text.substr(unit) == "h" ? 3600
                                          : 1;
  }
  return seconds < 0 ? kForEver : milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

std::uint32_t num_ctx_of(const json::object& body) {
  const json::value* options = body.if_contains("options");
  const json::value* wish =
      options != nullptr && options->is_object() ? options->get_object().if_contains("num_ctx") : nullptr;
  const char* standard = std::getenv("OLLAMA_CONTEXT_LENGTH");
  return wish != nullptr && wish->is_number() ? wish->to_number<std::uint32_t>()
         : standard != nullptr                ? static_cast<std::uint32_t>(std::stoul(standard))
                                              : 4096;
}

bool is_inference(const std::string& path) {
  return path == "/api/generate" || path == "/api/chat" || path == "/api/embed" ||
         path == "/api/embeddings" || path == "/v1/chat/completions" || path == "/v1/completions" ||
         path == "/v1/embeddings" || path == "/v1/responses" || path == "/v1/messages" ||
         path == "/v1/audio/transcriptions";
}

FakeAnswer not_served(const FakeRequest& request) {
  const std::string path = request.path();
  if (path.size() > 1 && path.ends_with('/')) {
    FakeAnswer out = text_answer(request.method == "GET" ? 301 : 307, "");
    out.extra_headers = "Location: " + path.substr(0, path.size() - 1) + "\r\n";
    return out;
  }
  return text_answer(404, "404 page not found");
}

template <class T>
void assign(T& target, const json::value& value) {
  target = json::value_to<T>(value);
}

}  // namespace

void apply_json(FakeConfig& config, const json::object& body) {
  for (const auto& [key, value] : body) {
    if (key == "version")
      assign(config.version, value);
    else if (key == "models")
      assign(config.models, value);
    else if (key == "runners")
      assign(config.runners, value);
    else if (key == "say")
      assign(config.say, value);
    else if (key == "exit_at_once")
      config.exit_at_once = value.to_number<int>();
    else if (key == "ignore_sigterm")
      assign(config.ignore_sigterm, value);
    else if (key == "log_bytes")
      assign(config.log_bytes, value);
    else if (key == "never_ready")
      assign(config.never_ready, value);
    else if (key == "ps")
      assign(config.ps, value);
    else if (key == "unload")
      assign(config.unload, value);
    else if (key == "load_ms")
      assign(config.load_ms, value);
    else if (key == "load_error")
      assign(config.load_error, value);
    else if (key == "too_long")
      assign(config.too_long, value);
    else if (key == "words")
      assign(config.words, value);
    else if (key == "pause_ms")
      assign(config.pause_ms, value);
    else if (key == "hold")
      assign(config.hold, value);
    else if (key == "hold_first")
      assign(config.hold_first, value);
    else if (key == "framing")
      assign(config.framing, value);
    else if (key == "cut_after")
      assign(config.cut_after, value);
    else
      throw std::invalid_argument("fake_ollama: unknown key " + std::string(key));
  }
}

bool FakeOllama::answer(FakeConnection& client, FakeRequest& request) {
  const bool early = [this] {
    const Lock lock(mutex_);
    return config_.framing == "early";
  }();
  const bool ours = request.target.starts_with("/fake/");
  if (early && !ours && request.method == "POST") {
    FakeAnswer out = error_answer(200, "answered before the body was read");
    out.framing = Framing::early;
    client.send(request, out);
    client.linger();
    return false;
  }
  if (!client.read_body(request)) {
    return false;
  }
  if (!ours) {
    const Lock lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
  }
  const FakeAnswer out = ours ? control(request) : route(client, request);
  if (out.status == 0) {
    return false;
  }
  const bool usable = client.send(request, out);
  const Lock lock(mutex_);
  if (!out.used_model.empty()) {
    finish_use(out.used_model);
    aborted_ += !usable && client.client_is_gone() ? 1U : 0U;
    changed_.notify_all();
  }
  return usable;
}

FakeAnswer FakeOllama::route(FakeConnection& client, const FakeRequest& request) {
  Lock lock(mutex_);
  const std::string path = request.path();
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (config_.never_ready) {
    wait(client, lock, kForEver, [this] { return !config_.never_ready; });
  }
  if (reads && path == "/") {
    return text_answer(200, "Ollama is running");
  }
  if (reads && path == "/api/version") {
    return json_answer(json::object{{"version", config_.version}});
  }
  lock.unlock();
  if (reads && path == "/api/tags") {
    return tags();
  }
  if (request.method == "GET" && path == "/api/ps") {
    return ps(client);
  }
  if (request.method == "POST" && is_inference(path)) {
    return inference(client, request);
  }
  if (request.method == "POST" && path.starts_with("/api/blobs/")) {
    return text_answer(201, "");
  }
  if (path == "/api/delete" || path == "/api/copy" || path == "/api/show") {
    return json_answer(json::object{});
  }
  return not_served(request);
}

FakeAnswer FakeOllama::control(const FakeRequest& request) {
  const std::string path = request.path();
  const Lock lock(mutex_);
  if (path == "/fake/config") {
    try {
      apply_json(config_, body_object(request));
    } catch (const std::exception& error) {
      return error_answer(400, error.what());
    }
  } else if (path == "/fake/release") {
    ++releases_;
  } else if (path == "/fake/last" && !requests_.empty()) {
    const FakeRequest& last = requests_.back();
    return json_answer(json::object{{"head", last.head},
                                    {"raw_body", last.raw_body},
                                    {"body", last.body},
                                    {"body_bytes", last.body_bytes},
                                    {"body_hash", last.body_hash}});
  } else if (path == "/fake/requests") {
    json::array out;
    for (const FakeRequest& one : requests_) {
      out.push_back(json::object{{"method", one.method}, {"target", one.target}});
    }
    return json_answer(out);
  } else if (path == "/fake/state") {
    json::array out;
    for (const auto& [name, state] : loaded_) {
      out.push_back(json::object{{"name", name}, {"num_ctx", state.num_ctx}, {"runner_pid", state.runner}});
    }
    return json_answer(json::object{{"loaded", out}, {"aborted", aborted_}});
  } else {
    return text_answer(404, "unknown");
  }
  changed_.notify_all();
  return json_answer(json::object{});
}

FakeAnswer FakeOllama::ps(FakeConnection& client) {
  Lock lock(mutex_);
  if (config_.ps == "missing") {
    return text_answer(404, "404 page not found");
  }
  if (config_.ps == "hang") {
    wait(client, lock, kForEver, [this] { return config_.ps != "hang"; });
  }
  expire();
  json::array models;
  for (const auto& [name, state] : loaded_) {
    const std::uint64_t mib = mib_of(name).value_or(8);
    models.push_back(json::object{{"name", name},
                                  {"model", name},
                                  {"size", config_.ps == "zero" ? 0 : mib << 20U},
                                  {"size_vram", 0},
                                  {"digest", blob_digest(name).substr(7)},
                                  {"expires_at", "2318-01-01T00:00:00Z"},
                                  {"context_length", state.num_ctx}});
  }
  return json_answer(json::object{{"models", models}});
}

FakeAnswer FakeOllama::tags() const {
  const Lock lock(mutex_);
  json::array models;
  for (const auto& [key, mib] : config_.models) {
    const std::string name = canonical_model_name(key);
    models.push_back(json::object{{"name", name},
                                  {"model", name},
                                  {"size", std::uint64_t{mib} << 20U},
                                  {"digest", blob_digest(name).substr(7)}});
  }
  return json_answer(json::object{{"models", models}});
}

FakeAnswer FakeOllama::inference(FakeConnection& client, const FakeRequest& request) {
  const json::object body = body_object(request);
  const bool native = request.path().starts_with("/api/");
  const std::string name = canonical_model_name(text_of(body, "model"));
  const auto keep_alive = keep_alive_of(body);
  const bool asks_nothing = is_empty(body, "prompt") && is_empty(body, "messages") && is_empty(body, "input");
  Lock lock(mutex_);
  if (!is_installed(name)) {
    return native ? error_answer(404, "model '" + name + "' not found")
                  : json_answer(
                        json::object{{"error", json::object{{"message", "model '" + name + "' not found"},
                                                            {"type", "not_found_error"}}}},
                        404);
  }
  if (native && asks_nothing && keep_alive == milliseconds(0)) {
    lock.unlock();
    return unload(client, name);
  }
  if (auto failed = load(client, lock, name, body)) {
    return std::move(*failed);
  }
  Loaded& state = loaded_[name];
  ++state.in_flight;
  state.keep_alive = keep_alive.value_or(state.keep_alive);
  const bool embeds = request.path().find("embed") != std::string::npos;
  FakeAnswer out = words(request, name, !embeds && flag_of(body, "stream", native));
  if (embeds) {
    out.pieces = {R"({"model":")" + name + R"(","embeddings":[[0.5,0.25]]})"};
  } else if (native && asks_nothing) {
    out =
        json_answer(json::object{{"model", name}, {"response", ""}, {"done", true}, {"done_reason", "load"}});
  }
  out.used_model = name;
  out.before_piece = [this, &client](std::size_t number) { return piece_may_go(client, number); };
  return out;
}

// Absent: loaded, with the context size that was asked for.
std::optional<FakeAnswer> FakeOllama::load(FakeConnection& client, Lock& lock, const std::string& name,
                                           const json::object& body) {
  const std::uint32_t num_ctx = num_ctx_of(body);
  const auto idle = [&] { return !loaded_.contains(name) || loaded_[name].in_flight == 0; };
  if (loaded_.contains(name) && loaded_[name].num_ctx == num_ctx) {
    return std::nullopt;
  }
  if (!wait(client, lock, kForEver, idle)) {
    return no_answer();
  }
  drop(name);
  const auto loaded_at = std::chrono::steady_clock::now() + milliseconds(config_.load_ms);
  const auto load_is_over = [&] { return std::chrono::steady_clock::now() >= loaded_at; };
  if (!wait(client, lock, kForEver, load_is_over)) {
    ++aborted_;
    changed_.notify_all();
    return no_answer();
  }
  if (!config_.load_error.empty()) {
    return error_answer(500, config_.load_error);
  }
  Loaded& state = loaded_[name];
  state.num_ctx = num_ctx;
  state.runner = config_.runners && state.runner < 0 ? start_runner(name) : state.runner;
  state.expires = std::chrono::steady_clock::now() + state.keep_alive;
  changed_.notify_all();
  return std::nullopt;
}

FakeAnswer FakeOllama::unload(FakeConnection& client, const std::string& name) {
  Lock lock(mutex_);
  if (config_.unload == "hang") {
    wait(client, lock, kForEver, [this] { return config_.unload != "hang"; });
  }
  const auto it = loaded_.find(name);
  if (it != loaded_.end() && config_.unload == "ok") {
    it->second.unload_when_idle = true;
    if (it->second.in_flight == 0) {
      drop(name);
    }
  }
  return json_answer(
      json::object{{"model", name}, {"response", ""}, {"done", true}, {"done_reason", "unload"}});
}

FakeAnswer in_two_pieces(FakeAnswer answer) {
  const std::string all = answer.pieces.at(0);
  answer.pieces = {all.substr(0, all.size() / 2), all.substr(all.size() / 2)};
  return answer;
}

// One piece per word: NDJSON, SSE, or all of them in one object.
FakeAnswer FakeOllama::words(const FakeRequest& request, const std::string& name, bool stream) const {
  const bool native = request.path().starts_with("/api/");
  const bool chat = request.path() == "/api/chat";
  const bool too_long =
      !config_.too_long.empty() && request.body.find("\"truncate\":false") != std::string::npos;
  FakeAnswer out;
  if (too_long) {
    out = in_two_pieces(error_answer(400, config_.too_long));
    out.framing = config_.framing != "auto" ? framing_of(config_.framing) : out.framing;
    out.cut_after = config_.cut_after;
    return out;
  }
  std::string all;
  for (const std::string& word : config_.words) {
    all += word;
    if (stream) {
      const json::object text =
          chat     ? json::object{{"message", json::object{{"content", word}}}}
          : native ? json::object{{"response", word}}
                   : json::object{{"choices", {json::object{{"delta", json::object{{"content", word}}}}}}};
      json::object line{{"model", name}};
      line.insert(text.begin(), text.end());
      out.pieces.push_back((native ? "" : "data: ") + json::serialize(line) + (native ? "\n" : "\n\n"));
    }
  }
  if (stream) {
    out.content_type = native ? "application/x-ndjson" : "text/event-stream";
    out.pieces.push_back(native ? json::serialize(json::object{{"model", name}, {"done", true}}) + "\n"
                                : "data: [DONE]\n\n");
  } else {
    out.pieces = {json::serialize(
        chat     ? json::object{{"model", name}, {"message", json::object{{"content", all}}}, {"done", true}}
        : native ? json::object{{"model", name}, {"response", all}, {"done", true}}
                 : json::object{{"model", name},
                                {"choices", {json::object{{"message", json::object{{"content", all}}}}}}})};
  }
  out.framing = config_.framing != "auto" ? framing_of(config_.framing)
                : stream                  ? Framing::chunked
                                          : Framing::content_length;
  out.cut_after = config_.cut_after;
  return out;
}

bool FakeOllama::piece_may_go(FakeConnection& client, std::size_t number) {
  Lock lock(mutex_);
  if (number == 0 ? config_.hold_first : config_.hold) {
    const bool released = wait(client, lock, kForEver,
                               [this] { return releases_ > 0 || !(config_.hold || config_.hold_first); });
    releases_ -= released && releases_ > 0 ? 1 : 0;
    return released;
  }
  const auto due = std::chrono::steady_clock::now() + milliseconds(number > 0 ? config_.pause_ms : 0);
  return wait(client, lock, kForEver, [&] { return std::chrono::steady_clock::now() >= due; });
}

}  // namespace llamavisor::testing
