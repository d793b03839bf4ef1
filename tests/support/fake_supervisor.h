// A SupervisorPort that answers what a test tells it to, and remembers what it was asked.
#pragma once

#include <boost/json/array.hpp>
#include <map>
#include <string>
#include <vector>

#include "control/supervisor_port.h"

namespace llamavisor::testing {

class FakeSupervisor : public SupervisorPort {
 public:
  // By the port's function: "status", "limit"; one that is not named gets {"called": NAME}.
  std::map<std::string, boost::json::object> answers;
  ControlError refusal;                // what set_limit("refuse") and evict of "refuse" answer
  std::string tail = "one\ntwo\n";     // of the log, and of the events
  std::vector<std::string> calls;      // "evict a why"
  std::vector<ControlCallback> later;  // evictions of "later", not answered yet
  std::map<int, StreamSink> sinks;     // of the followers that there are

  boost::json::object status() override { return answer("status"); }
  boost::json::object ps() override { return answer("ps"); }
  boost::json::object limit() override { return answer("limit"); }
  boost::json::object profiles() override { return answer("profiles"); }
  void plugins(ControlCallback done) override { done(answer("plugins")); }
  boost::json::object config() override { return answer("config"); }
  void models(ControlCallback done) override { done(answer("models")); }
  void doctor(ControlCallback done) override { done(answer("doctor")); }
  ControlAnswer reload() override { return answer("reload"); }
  ControlAnswer use_profile(const std::string& name) override { return answer("use_profile " + name); }
  ControlAnswer set_pinned(const std::string& model, bool pinned) override {
    return answer((pinned ? "pin " : "unpin ") + model);
  }
  ControlAnswer set_limit(const std::string& limit) override {
    return limit == "refuse" ? ControlAnswer(refusal) : answer("set_limit " + limit);
  }
  void use_plugin(const std::string& role, const std::string& name, ControlCallback done) override {
    done(answer("use_plugin " + role + " " + name));
  }
  void shadow_plugin(const std::string& role, const std::string& name, ControlCallback done) override {
    done(answer("shadow_plugin " + role + " " + name));
  }
  ControlAnswer trust_plugin(const std::string& name) override { return answer("trust_plugin " + name); }
  boost::json::object compare() override { return {{"role", "eviction"}}; }
  void evict(const std::string& model, const std::string& reason, ControlCallback done) override {
    if (model == "later") {
      later.push_back(std::move(done));
    } else {
      done(model == "refuse" ? ControlAnswer(refusal) : answer("evict " + model + " " + reason));
    }
  }
  std::string log_tail(std::size_t lines) override { return "lines=" + std::to_string(lines) + "\n" + tail; }
  std::string events_since(std::uint64_t since) override {
    return "since=" + std::to_string(since) + "\n" + tail;
  }
  std::unique_ptr<ControlStream> follow_log(StreamSink sink) override { return follow(std::move(sink)); }
  std::unique_ptr<ControlStream> follow_events(StreamSink sink) override { return follow(std::move(sink)); }

 private:
  struct Follower : ControlStream {
    explicit Follower(FakeSupervisor& of, int number) : supervisor(of), id(number) {}
    ~Follower() override { supervisor.sinks.erase(id); }
    FakeSupervisor& supervisor;
    int id;
  };
  std::unique_ptr<ControlStream> follow(StreamSink sink) {
    sinks[++followers_] = std::move(sink);
    return std::make_unique<Follower>(*this, followers_);
  }
  boost::json::object answer(const std::string& call) {
    calls.push_back(call);
    const auto it = answers.find(call);
    return it == answers.end() ? boost::json::object{{"called", call}} : it->second;
  }

  int followers_ = 0;
};

}  // namespace llamavisor::testing
