// Questions as notifications with buttons, and what came back. A thread of its own talks to the bus, so that
// a policy call never waits for it. At most kMaxOpen questions are open; further ones are unanswered at once.
#pragma once

#include <deque>
#include <llamavisor/plugin.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace llamavisor {

enum class Reply { unload, keep, always, none };  // none: closed, expired, or there is nobody to ask

struct Question {
  std::string model, summary, body;
};
struct Answer {
  std::string model;
  Reply reply = Reply::none;
  std::string why;  // of none: what was in the way
};

// Names that were answered with "keep always", one a line; a file that is not there is empty. Blocking.
std::vector<std::string> read_kept(const std::string& path);

class AskBus {
 public:
  static constexpr std::size_t kMaxOpen = 16;

  // `kept_path`: names that are answered with "always" are added to this file; empty: to none.
  AskBus(Host host, std::string kept_path);
  ~AskBus();
  AskBus(const AskBus&) = delete;
  AskBus& operator=(const AskBus&) = delete;

  // [any thread] Starts the thread with the first question.
  void ask(Question question);
  // [any thread] Closes a question that waits no more.
  void withdraw(const std::string& model);
  // [any thread] What was answered since the last call.
  std::vector<Answer> answers();

 private:
  struct Talk;
  struct Job {
    bool withdraw = false;
    Question question;
  };
  void post(Job job);
  std::deque<Job> take_jobs();
  void run();
  void put_answer(Answer answer);

  Host host_;
  std::string kept_path_;
  int wake_ = -1;  // eventfd
  std::mutex mutex_;
  std::deque<Job> jobs_;
  std::vector<Answer> answers_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace llamavisor
