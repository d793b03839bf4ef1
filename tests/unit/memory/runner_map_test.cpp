#include "memory/runner_map.h"

#include "support/catch.h"

using namespace llamavisor;

namespace {

const std::string kHex(64, 'a');
const std::string kBlob = "/home/u/.ollama/models/blobs/sha256-" + kHex;

}  // namespace

TEST_CASE("runners of each era are known by the blob on their command line") {
  const std::string digest = "sha256:" + kHex;
  CHECK(runner_blob({"/usr/bin/ollama", "runner", "--model", kBlob, "--port", "4"}) == digest);
  CHECK(runner_blob({"/usr/bin/ollama", "runner", "--ollama-engine", "--model", kBlob, "--port", "4"}) ==
        digest);
  CHECK(runner_blob({"ollama", "runner", "--model", kBlob, "--ctx-size", "8192", "--port", "4"}) == digest);
  CHECK(runner_blob({"/opt/lib/ollama/llama-server", "--model", kBlob, "--port", "4", "-c", "4096"}) ==
        digest);
}

TEST_CASE("helpers without a model are no runners") {
  CHECK_FALSE(runner_blob({"ollama", "runner", "--ollama-engine", "--port", "4"}).has_value());
  CHECK_FALSE(runner_blob({"ollama", "gpu-discover"}).has_value());
  CHECK_FALSE(runner_blob({"llama-server", "--port", "4", "--verbose"}).has_value());
  CHECK_FALSE(runner_blob({"llama-quantize", "--allow-requantize", kBlob, "/tmp/out", "COPY"}).has_value());
  CHECK_FALSE(runner_blob({}).has_value());
}

TEST_CASE("a model argument that is no blob of Ollama is not taken for one") {
  CHECK_FALSE(runner_blob({"llama-server", "--model"}).has_value());
  CHECK_FALSE(runner_blob({"llama-server", "--model", "/models/x.gguf"}).has_value());
  CHECK_FALSE(runner_blob({"llama-server", "--model", "/blobs/sha256-" + std::string(63, 'a')}).has_value());
  CHECK_FALSE(runner_blob({"llama-server", "--model", "/blobs/sha256-" + std::string(64, 'G')}).has_value());
}

TEST_CASE("what a runner has forked counts once") {
  const std::vector<std::string> argv{"llama-server", "--model", kBlob};
  const auto runners =
      runners_among({{10, 5, 100, argv}, {11, 10, 101, argv}, {12, 5, 102, {"ollama", "gpu-discover"}}});
  REQUIRE(runners.size() == 1);
  CHECK(runners[0].pid == 10);
  CHECK(runners[0].start_ticks == 100);
  CHECK(runners[0].blob_digest == "sha256:" + kHex);
}
