#include "ollama/child_env.h"

#include <algorithm>

#include "support/catch.h"

using namespace llamavisor;

namespace {

struct Case {
  Settings settings;
  Origins origins;
  Environment own{"HOME=/home/u", "PATH=/bin"};
  std::uint32_t num_ctx = 4096;
  bool automatic_restart = false;

  std::vector<EnvEntry> entries() const {
    return child_env({settings, origins, own, 5000, num_ctx, automatic_restart, "/fallback"});
  }
  EnvEntry entry(const std::string& name) const {
    for (const EnvEntry& one : entries()) {
      if (one.name == name) {
        return one;
      }
    }
    return {name, "(absent)", ""};
  }
  std::string value(const std::string& name) const { return entry(name).value; }
};

}  // namespace

TEST_CASE("the server's environment says what the settings say") {
  Case c;
  c.settings.server.max_loaded_models = 64;
  c.settings.server.num_parallel = 2;
  c.settings.server.prompt_cache_bytes = 256ULL << 20U;
  CHECK(c.value("OLLAMA_HOST") == "127.0.0.1:5000");
  CHECK(c.value("OLLAMA_MAX_LOADED_MODELS") == "64");
  CHECK(c.value("OLLAMA_NUM_PARALLEL") == "2");
  CHECK(c.value("OLLAMA_KEEP_ALIVE") == "300s");
  CHECK(c.value("OLLAMA_CONTEXT_LENGTH") == "4096");
  CHECK(c.value("LLAMA_ARG_CACHE_RAM") == "256");
  CHECK(c.value("HOME") == "/home/u");
  for (const char* untouched : {"OLLAMA_MODELS", "OLLAMA_KV_CACHE_TYPE", "OLLAMA_FLASH_ATTENTION",
                                "OLLAMA_NOPRUNE", "OLLAMA_ORIGINS"}) {
    CHECK(c.value(untouched) == "(absent)");
  }
}

TEST_CASE("the server's environment carries what is set only on wish") {
  Case c;
  c.settings.server.models = "/data/models";
  c.settings.server.kv_cache_type = "q8_0";
  c.settings.server.flash_attention = true;
  c.settings.server.keep_alive = {milliseconds(0), true};
  c.settings.gateway.origins = {"https://a.example", "https://b.example"};
  c.own.emplace_back("OLLAMA_ORIGINS=https://c.example");
  c.automatic_restart = true;
  c.num_ctx = 0;
  CHECK(c.value("OLLAMA_MODELS") == "/data/models");
  CHECK(c.value("OLLAMA_KV_CACHE_TYPE") == "q8_0");
  CHECK(c.value("OLLAMA_FLASH_ATTENTION") == "1");
  CHECK(c.value("OLLAMA_KEEP_ALIVE") == "-1");
  CHECK(c.value("OLLAMA_NOPRUNE") == "1");
  CHECK(c.value("OLLAMA_ORIGINS") == "https://c.example,https://a.example,https://b.example");
  CHECK(c.value("OLLAMA_CONTEXT_LENGTH") == "(absent)");
}

TEST_CASE("the allowed origins are those that the server is told") {
  CHECK(allowed_origins({}).empty());
  CHECK(allowed_origins({{"OLLAMA_ORIGINS", "https://c.example,app://*", "environment"}}) ==
        std::vector<std::string>{"https://c.example", "app://*"});
}

TEST_CASE("a keep_alive with a fraction of a second is written in milliseconds") {
  Case c;
  c.settings.server.keep_alive = {milliseconds(1500), false};
  CHECK(c.value("OLLAMA_KEEP_ALIVE") == "1500ms");
}

TEST_CASE("every OLLAMA and LLAMA_ARG variable of our own environment reaches the server") {
  Case c;
  c.own.insert(c.own.end(), {"OLLAMA_DEBUG=1", "LLAMA_ARG_THREADS=3", "OLLAMA_HOST=0.0.0.0:11434"});
  CHECK(c.value("OLLAMA_DEBUG") == "1");
  CHECK(c.entry("OLLAMA_DEBUG").origin == "environment");
  CHECK(c.value("LLAMA_ARG_THREADS") == "3");
  CHECK(c.value("OLLAMA_HOST") == "127.0.0.1:5000");
  CHECK(c.value("PATH") == "(absent)");  // reaches the server too, but is not llamavisor's business
}

TEST_CASE("server.env wins over settings and environment, but never over the server's address") {
  Case c;
  c.own.emplace_back("OLLAMA_DEBUG=1");
  c.settings.server.env = {
      {"OLLAMA_DEBUG", "2"}, {"OLLAMA_NUM_PARALLEL", "7"}, {"OLLAMA_HOST", "x"}, {"FOO", "bar"}};
  CHECK(c.value("OLLAMA_DEBUG") == "2");
  CHECK_THAT(c.entry("OLLAMA_DEBUG").origin, ContainsSubstring("instead of the environment's"));
  CHECK(c.value("OLLAMA_NUM_PARALLEL") == "7");
  CHECK(c.value("FOO") == "bar");
  CHECK(c.value("OLLAMA_HOST") == "127.0.0.1:5000");
}

TEST_CASE("a missing HOME is filled in") {
  Case c;
  c.own = {"PATH=/bin"};
  CHECK(c.value("HOME") == "/fallback");
}

TEST_CASE("the whole environment holds each variable once and nothing of systemd's") {
  Case c;
  c.own.insert(c.own.end(), {"OLLAMA_KEEP_ALIVE=1h", "NOTIFY_SOCKET=/run/n", "WATCHDOG_USEC=1", "LANG=C"});
  const Environment all = merged_environment(c.own, c.entries());
  const auto count = [&](const std::string& start) {
    return std::count_if(all.begin(), all.end(), [&](const auto& e) { return e.starts_with(start); });
  };
  CHECK(count("OLLAMA_KEEP_ALIVE=") == 1);
  CHECK(count("HOME=") == 1);
  CHECK(count("PATH=/bin") == 1);
  CHECK(count("LANG=C") == 1);
  CHECK(count("NOTIFY_SOCKET") + count("WATCHDOG_USEC") == 0);
}

TEST_CASE("keys that nobody but a profile set take the environment's value") {
  Case c;
  c.own.insert(c.own.end(),
               {"OLLAMA_NUM_PARALLEL=3", "OLLAMA_KEEP_ALIVE= \"10m\" ", "OLLAMA_MODELS=/m",
                "OLLAMA_CONTEXT_LENGTH=8192", "LLAMA_ARG_CACHE_RAM=64", "OLLAMA_FLASH_ATTENTION=true"});
  c.origins = {{"server.num_parallel", "profile laptop"}, {"server.keep_alive", "default"}};
  adopt_environment(c.settings, c.origins, c.own);
  CHECK(c.settings.server.num_parallel == 3);
  CHECK(c.settings.server.keep_alive.duration == std::chrono::minutes(10));
  CHECK(c.settings.server.models == "/m");
  CHECK(c.settings.context.default_num_ctx == 8192);
  CHECK(c.settings.server.prompt_cache_bytes == 64ULL << 20U);
  CHECK(c.settings.server.flash_attention);
  CHECK(c.origins["server.num_parallel"] == "environment OLLAMA_NUM_PARALLEL");
}

TEST_CASE("a key that a file set keeps its value against the environment") {
  Case c;
  c.own.emplace_back("OLLAMA_NUM_PARALLEL=3");
  c.settings.server.num_parallel = 2;
  c.origins = {{"server.num_parallel", "/etc/llamavisor.toml"}};
  adopt_environment(c.settings, c.origins, c.own);
  CHECK(c.value("OLLAMA_NUM_PARALLEL") == "2");
  CHECK_THAT(c.entry("OLLAMA_NUM_PARALLEL").origin, ContainsSubstring("/etc/llamavisor.toml"));
  CHECK_THAT(c.entry("OLLAMA_NUM_PARALLEL").origin, ContainsSubstring("instead of the environment's"));
}

TEST_CASE("environment values that cannot be read, or leave the choice to Ollama, change no setting") {
  const std::string variable =
      GENERATE("OLLAMA_NUM_PARALLEL=many", "OLLAMA_NUM_PARALLEL=0", "OLLAMA_KEEP_ALIVE=soon",
               "LLAMA_ARG_CACHE_RAM=-1", "OLLAMA_MAX_LOADED_MODELS=", "OLLAMA_CONTEXT_LENGTH=99999999999");
  CAPTURE(variable);
  Case c;
  c.own.push_back(variable);
  adopt_environment(c.settings, c.origins, c.own);
  CHECK(c.origins.empty());
  CHECK(c.settings.server.num_parallel == ServerSettings().num_parallel);
  CHECK(c.settings.server.keep_alive.duration == ServerSettings().keep_alive.duration);
  CHECK(c.settings.server.prompt_cache_bytes == ServerSettings().prompt_cache_bytes);
}

TEST_CASE("values of keys and tokens are not shown") {
  CHECK(shown_value({"OLLAMA_API_KEY", "abc", ""}) == "(hidden)");
  CHECK(shown_value({"HF_TOKEN", "abc", ""}) == "(hidden)");
  CHECK(shown_value({"OLLAMA_KEEP_ALIVE", "5m", ""}) == "5m");
}
