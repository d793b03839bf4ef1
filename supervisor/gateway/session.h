// One client connection, request after request.
//
// States of the current request:
//
//   head    -> a head is being read; a kept-alive connection idles here
//   body    -> inference only: the body is read whole, to learn the model and num_ctx
//   hold    -> the server is not ready: wait for it, within gateway.hold_timeout
//   ask     -> waiting at the admission desk for the model
//   connect -> a connection to the server is being made (an idle one skips this)
//   relay   -> request bytes flow up and answer bytes flow down, independently, as they come
//   linger  -> our own answer was sent before the request was read: discard the rest for a moment, so that
//              the client sees the answer and not a reset
//   closed
//
//   head -> [body] -> hold|ask -> connect -> relay -> head ...
//   relay -> hold   when the server went away before a single answer byte, and all that was sent is still
//                   here: the request is tried again
//   relay -> hold   when the server refused a prompt that is longer than num_ctx: see overflow below
//   any  -> closed  when the client leaves: the connection to the server is closed with it, at once, which
//                   is how Ollama learns that it may stop generating
//
// Everything is driven by readiness: each wake-up calls advance(), which runs steps until one of them has to
// wait. Sockets are non-blocking; answer bytes go from a shared scratch buffer straight to the client, and
// only what a slow client does not take is kept (one scratch buffer at most), and then the server is not
// read.
//
// Overflow: Ollama drops what does not fit into num_ctx from a prompt and answers 200. So a native request
// goes up with "truncate": false unless its client said otherwise, and a 400 is weighed before anything of it
// is sent: when it says that the prompt is too long, the request is refused with both sizes, or goes up again
// once with a larger num_ctx, or as the client sent it, and the answer is marked ([context] overflow).
//
// Thread: io thread only. Kept alive by its outstanding waits and by the gateway's list.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/answer_tail.h"
#include "gateway/body_tracker.h"
#include "gateway/http_head.h"
#include "gateway/overflow.h"
#include "gateway/replies.h"
#include "gateway/routes.h"
#include "gateway/services.h"

namespace llamavisor {

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(TcpSocket client, Services& services);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  // Something outside changed: the server is ready, or a second has passed.
  void poke() { advance(); }
  void close();
  [[nodiscard]] bool closed() const { return state_ == State::closed; }
  // Between requests, with nothing half-read: may be closed without hurting anyone.
  [[nodiscard]] bool idle() const;
  // Ends what has waited too long. Called once a second.
  void check_deadline();

 private:
  enum class State { head, body, hold, ask, connect, relay, linger, closed };
  enum class Io { progress, blocked, ended };

  // driving
  void advance();
  bool step();
  void enter(State state);

  // the client's side
  void want_client_read();
  void want_client_write();
  Io read_client();
  bool watch_client();
  bool flush_client();
  void send_client(std::string_view bytes);
  bool step_linger();

  // a request, until it is relayed
  bool step_head();
  bool take_head(std::size_t length);
  bool step_body();
  bool count_body();
  void read_facts();
  bool step_hold();
  [[nodiscard]] bool foreign_page() const;
  [[nodiscard]] bool bare_unload(const std::string& model) const;
  void ask_desk();
  void take_verdict(Verdict verdict);
  bool reply(unsigned status, const std::string& message,
             std::optional<std::chrono::seconds> retry_after = std::nullopt);
  void consume(std::size_t bytes);
  [[nodiscard]] std::string_view unread() const { return std::string_view(in_).substr(in_pos_); }

  // the server's side
  void want_upstream_read();
  void want_upstream_write();
  void connect_upstream();
  void open_upstream();
  [[nodiscard]] BodyEdits edits() const;
  void build_upstream_head();
  bool step_relay();
  bool pump_request();
  bool pump_response();
  void take_answer(std::string_view bytes);
  void send_answer(std::string_view bytes, std::size_t head);
  std::size_t take_answer_head(std::string_view& bytes);
  void begin_answer(const ResponseHead& head);
  bool upstream_ended();
  void finish_exchange();
  void drop_upstream();
  void end_lease();
  void forget_request();

  // a prompt that is too long
  bool weigh(std::string_view bytes);
  bool settle_weighed();
  bool take_overflow();
  void tell_truncation(const Lease& lease);
  void repeat_request();

  Services& s_;
  TcpSocket client_;
  std::optional<TcpSocket> upstream_;
  State state_ = State::head;
  bool advancing_ = false;
  bool poked_ = false;
  SteadyTime deadline_ = SteadyTime::max();

  bool client_readable_ = false;
  bool client_read_armed_ = false;
  bool client_write_armed_ = false;
  bool upstream_readable_ = false;
  bool upstream_armed_ = false;  // for reading
  bool upstream_write_armed_ = false;
  bool upstream_fresh_ = false;  // made for this request, not from the pool

  std::string in_;  // read from the client, not used yet
  std::size_t in_pos_ = 0;
  std::string out_;  // for the client, not taken by it yet
  bool close_after_ = false;

  // the request
  std::string head_text_;
  RequestHead head_;  // views into head_text_
  Route route_;
  BodyTracker request_body_;
  std::string body_;  // of an inference request, whole
  bool body_read_ = false;
  std::size_t counted_bytes_ = 0;  // of body_, in Services::body_bytes
  std::optional<BodyFacts> facts_;
  AdmissionDesk::Ticket ticket_;
  std::optional<Verdict> granted_;
  unsigned attempts_ = 0;
  SteadyTime held_since_{};
  bool strict_ = false;                      // it went up with a "truncate": false of ours
  std::optional<PromptOverflow> truncated_;  // the answer is to a part of the prompt
  std::optional<std::uint32_t> grown_;       // num_ctx that was found to be needed

  // the exchange with the server
  std::string up_;  // for the server, not sent yet from up_sent_ on
  std::size_t up_sent_ = 0;
  bool replayable_ = false;  // up_ still holds all that was sent
  bool upload_dead_ = false;
  bool answer_begun_ = false;
  std::string answer_head_;
  std::optional<ResponseHead> answer_;
  BodyTracker answer_body_;
  bool weighing_ = false;     // a 400 that may be an overflow: nothing of it was sent yet
  std::string weighed_;       // as it came
  std::string weighed_text_;  // its body
  AnswerTail answer_tail_;
};

}  // namespace llamavisor
