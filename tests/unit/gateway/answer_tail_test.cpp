#include "gateway/answer_tail.h"

#include "support/catch.h"

using namespace llamavisor;

namespace {

AnswerFacts facts_of(const std::string& answer, std::size_t piece) {
  AnswerTail tail;
  for (std::size_t at = 0; at < answer.size(); at += piece) {
    tail.take(std::string_view(answer).substr(at, piece));
  }
  return tail.facts();
}

}  // namespace

TEST_CASE("the counts at the end of an answer are found, in whatever pieces it comes") {
  const std::string native =
      R"({"response":")" + std::string(5000, 'a') +
      R"(","done":true,"context":[1,2],"load_duration":2500000000,"prompt_eval_count":26,"eval_count":290,"eval_duration":1})";
  for (const std::size_t piece : {1U, 7U, 900U, 1024U, 100'000U}) {
    const AnswerFacts facts = facts_of(native, piece);
    CHECK(facts.prompt_tokens == 26U);
    CHECK(facts.answer_tokens == 290U);
    CHECK(facts.load == std::chrono::milliseconds(2500));
  }
  const AnswerFacts openai =
      facts_of(R"({"choices":[],"usage":{"prompt_tokens": 5,"completion_tokens":7,"total_tokens":12}})", 10);
  CHECK(openai.prompt_tokens == 5U);
  CHECK(openai.answer_tokens == 7U);
  CHECK_FALSE(openai.load);
}

TEST_CASE("counts that a model writes, or that are cut, are not taken for the server's") {
  CHECK_FALSE(facts_of(R"({"response":"say \"eval_count\":99,"})", 64).answer_tokens);
  CHECK_FALSE(facts_of(R"({"eval_count":12)", 64).answer_tokens);
  CHECK_FALSE(facts_of("", 64).prompt_tokens);
}
