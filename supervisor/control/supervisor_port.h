// What the control API may ask of the running supervisor. app/ implements it.
// Thread: every function is called on the io thread and every callback is called there, once.
// Answers are the JSON objects of API.md; an error carries the HTTP status to send.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace llamavisor {

struct ControlError {
  unsigned http_status = 500;
  Error error{"unknown"};
};

using ControlAnswer = boost::system::result<boost::json::object, ControlError>;
[[noreturn]] void throw_exception_from_error(const ControlError& error, const boost::source_location& where);
using ControlCallback = std::function<void(ControlAnswer)>;

// A stream of text pieces (log lines, NDJSON events). Held by the connection; destroying it unsubscribes.
class ControlStream {
 public:
  ControlStream() = default;
  ControlStream(const ControlStream&) = delete;
  ControlStream& operator=(const ControlStream&) = delete;
  virtual ~ControlStream() = default;
};
using StreamSink = std::function<void(const std::string& piece)>;

class SupervisorPort {
 public:
  SupervisorPort() = default;
  SupervisorPort(const SupervisorPort&) = delete;
  SupervisorPort& operator=(const SupervisorPort&) = delete;
  virtual ~SupervisorPort() = default;

  virtual boost::json::object status() = 0;
  virtual boost::json::object ps() = 0;
  virtual void models(ControlCallback done) = 0;
  virtual void evict(const std::string& model, const std::string& reason, ControlCallback done) = 0;
  virtual ControlAnswer set_pinned(const std::string& model, bool pinned) = 0;
  virtual boost::json::object limit() = 0;
  virtual ControlAnswer set_limit(const std::string& limit) = 0;
  virtual boost::json::object profiles() = 0;
  virtual ControlAnswer use_profile(const std::string& name) = 0;
  virtual void plugins(ControlCallback done) = 0;
  virtual void use_plugin(const std::string& role, const std::string& name, ControlCallback done) = 0;
  // `name` "off": none.
  virtual void shadow_plugin(const std::string& role, const std::string& name, ControlCallback done) = 0;
  virtual boost::json::object compare() = 0;
  // Ends the quarantine of a plugin that crashed llamavisor.
  virtual ControlAnswer trust_plugin(const std::string& name) = 0;
  virtual boost::json::object config() = 0;
  virtual ControlAnswer reload() = 0;
  virtual void doctor(ControlCallback done) = 0;

  // The last `lines` lines as one text; then, when a sink is given, each new line to it.
  virtual std::string log_tail(std::size_t lines) = 0;
  virtual std::unique_ptr<ControlStream> follow_log(StreamSink sink) = 0;
  // Events with an id above `since` as NDJSON; then each new one to the sink.
  virtual std::string events_since(std::uint64_t since) = 0;
  virtual std::unique_ptr<ControlStream> follow_events(StreamSink sink) = 0;
};

}  // namespace llamavisor
