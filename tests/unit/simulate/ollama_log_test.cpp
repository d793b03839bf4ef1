#include "simulate/ollama_log.h"

#include <array>
#include <ctime>
#include <sstream>

#include "support/catch.h"
#include "support/results.h"

using namespace llamavisor;
using namespace std::chrono_literals;

namespace {

constexpr std::time_t kBegin = 1'735'725'600;

std::string at(std::time_t when, const char* format, bool local) {
  std::tm broken{};
  local ? localtime_r(&when, &broken) : gmtime_r(&when, &broken);
  std::array<char, 64> out{};
  std::strftime(out.data(), out.size(), format, &broken);
  return out.data();
}
std::string log_line(int end_s, const std::string& took, const char* path = "/api/chat", int status = 200) {
  return "[GIN] " + at(kBegin + end_s, "%Y/%m/%d - %H:%M:%S", true) + " | " + std::to_string(status) +
         " |  " + took + " |       127.0.0.1 | POST     \"" + path + "\"\n";
}
std::string listed(const std::string& name, int last_use_s) {
  return R"({"name":")" + name + R"(","size":1000000000,"expires_at":")" +
         at(kBegin + last_use_s + 300 + 3600, "%Y-%m-%dT%H:%M:%S.25+01:00", false) + R"("})";
}
std::string sample(int at_s, const std::string& models) {
  return R"({"at":)" + std::to_string(kBegin + at_s) + R"(.5,"models":[)" + models + "]}\n";
}

}  // namespace

TEST_CASE("access log and samples of /api/ps become a trace: model, time, answer and load") {
  std::istringstream log("time=... level=INFO msg=something\n" + log_line(10, "6.5s") + log_line(20, "1.5s") +
                         log_line(30, "250ms", "/api/show") + log_line(31, "1m2s", "/api/chat", 500) +
                         log_line(40, "4.5s", "/v1/chat/completions") + log_line(50, "500ms", "/api/embed") +
                         log_line(60, "1.5s"));
  std::istringstream samples(sample(0, "") + sample(12, listed("a:latest", 10)) +
                             sample(22, listed("a:latest", 20)) +
                             sample(42, listed("b:latest", 40) + "," + listed("a:latest", 20)) +
                             sample(52, listed("b:latest", 50) + "," + listed("a:latest", 20)) +
                             sample(62, listed("b:latest", 50) + "," + listed("a:latest", 60)));
  const auto imported = import_ollama_log(log, samples);
  REQUIRE(imported);
  const Trace& trace = imported->trace;
  CHECK(imported->guessed == 0);
  CHECK(imported->left_out == 0);
  REQUIRE(trace.models.size() == 2);
  CHECK(trace.models[0].name == "a:latest");
  CHECK(trace.models[0].bytes == 1'000'000'000);
  CHECK(trace.models[0].reload == 5s);  // 6.5 s with the load, 1.5 s without
  CHECK(trace.models[1].reload == 4s);
  std::vector<std::uint32_t> order;
  for (const TraceRequest& request : trace.requests) {
    order.push_back(request.model);
  }
  CHECK(order == std::vector<std::uint32_t>{0, 0, 1, 1, 0});
  CHECK(trace.requests[0].at == std::chrono::milliseconds(kBegin * 1000 + 3500));
  CHECK(trace.requests[0].service == 1500ms);
}

TEST_CASE("a model that was used again before the sample is a guess, and one without a sample is left out") {
  std::istringstream log(log_line(10, "1s") + log_line(14, "1s") + log_line(15, "1s") + log_line(90, "1s"));
  std::istringstream samples(sample(0, "") +
                             sample(20, listed("a:latest", 15) + "," + listed("b:latest", 14)));
  const auto imported = import_ollama_log(log, samples);
  REQUIRE(imported);
  CHECK(imported->guessed == 1);
  CHECK(imported->left_out == 1);
  CHECK(imported->trace.requests.size() == 3);
}

TEST_CASE("a sample that is none is an error with its line") {
  std::istringstream log("");
  std::istringstream samples(sample(0, "") + "{\"models\":[]}\n");
  const auto imported = import_ollama_log(log, samples);
  REQUIRE_FALSE(imported);
  CHECK(imported.error().text().find("line 2") != std::string::npos);
}
