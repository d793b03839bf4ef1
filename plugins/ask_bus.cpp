#include "ask_bus.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "notifications.h"

namespace llamavisor {
namespace {

using namespace notifications;

constexpr std::chrono::seconds kCallLimit{2};
constexpr std::size_t kMaxKept = 1000;

Reply reply_of(std::string_view key) {
  return key == "unload"   ? Reply::unload
         : key == "keep"   ? Reply::keep
         : key == "always" ? Reply::always
                           : Reply::none;
}

// One line, appended; a reader never sees half of it.
bool add_kept(const std::string& path, const std::string& model) {
  const std::string line = model + "\n";
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (fd >= 0) {
    close(fd);
  }
  return written;
}

}  // namespace

std::vector<std::string> read_kept(const std::string& path) {
  std::vector<std::string> out;
  std::ifstream file(path);
  for (std::string line; out.size() < kMaxKept && std::getline(file, line);) {
    if (!line.empty()) {
      out.push_back(line);
    }
  }
  return out;
}

// The bus thread's own things: the connection and the open questions.
struct AskBus::Talk {
  explicit Talk(AskBus& asker) : owner(asker) {}

  void ask(const Question& question) {
    if (open.size() >= kMaxOpen) {
      owner.put_answer({question.model, Reply::none, "too many questions are open"});
      return;
    }
    const Deadline deadline(kCallLimit);
    try {
      connect(deadline);
      open[show_question(question, deadline)] = question.model;
    } catch (const PluginError& error) {
      owner.put_answer({question.model, Reply::none, error.what()});
      lose(error.what());
    }
  }

  void withdraw(const std::string& model) {
    for (auto it = open.begin(); it != open.end(); ++it) {
      if (it->second == model) {
        const std::uint32_t id = it->first;
        open.erase(it);  // its NotificationClosed is nobody's any more
        const MessagePtr message = new_call(bus.get(), "CloseNotification");
        sd_bus_message_append(message.get(), "u", id);
        sd_bus_send(bus.get(), message.get(), nullptr);
        return;
      }
    }
  }

  void connect(const Deadline& deadline) {
    if (bus != nullptr) {
      return;
    }
    bus = open_bus(deadline);
    if (capabilities(bus.get(), deadline).count("actions") == 0) {
      throw PluginError(LLV_E_UNAVAILABLE, "the notification daemon shows no buttons");
    }
    for (const char* signal : {"ActionInvoked", "NotificationClosed"}) {
      require(sd_bus_match_signal(bus.get(), nullptr, kService, kPath, kService, signal, &on_signal, this),
              "listening for answers");
    }
  }

  std::uint32_t show_question(const Question& question, const Deadline& deadline) {
    const MessagePtr message = new_call(bus.get(), "Notify");
    require(
        sd_bus_message_append(message.get(), "susssasa{sv}i", "llamavisor", 0U, "", question.summary.c_str(),
                              escape_markup(question.body).c_str(), 6, "unload", "Unload", "keep", "Keep",
                              "always", "Keep always", 1, "urgency", "y", LLV_URGENCY_NORMAL, 0),
        "building a message");
    return show(bus.get(), message.get(), deadline);
  }

  static int on_signal(sd_bus_message* message, void* self, sd_bus_error* /*error*/) {
    auto& talk = *static_cast<Talk*>(self);
    std::uint32_t id = 0;
    const char* key = "";
    const bool action = sd_bus_message_is_signal(message, kService, "ActionInvoked") > 0;
    if (sd_bus_message_read_basic(message, 'u', &id) < 0 ||
        (action && sd_bus_message_read_basic(message, 's', &key) < 0)) {
      return 0;
    }
    talk.answered(id, action ? reply_of(key) : Reply::none);
    return 0;
  }

  void answered(std::uint32_t id, Reply reply) {
    const auto it = open.find(id);
    if (it == open.end()) {
      return;
    }
    const std::string model = it->second;
    open.erase(it);
    if (reply == Reply::always && !owner.kept_path_.empty() && !add_kept(owner.kept_path_, model)) {
      owner.host_.log(LLV_LOG_WARN, "cannot write " + owner.kept_path_ + ": " + model +
                                        " is kept only until llamavisor ends");
    }
    owner.put_answer({model, reply, reply == Reply::none ? "the question was closed" : ""});
  }

  // The connection is gone, and with it every open question.
  void lose(const std::string& why) {
    bus.reset();
    for (const auto& [id, model] : open) {
      owner.put_answer({model, Reply::none, why});
    }
    open.clear();
  }

  void process() {
    int done = bus == nullptr ? 0 : 1;
    while (done > 0) {
      done = sd_bus_process(bus.get(), nullptr);
    }
    if (done < 0) {
      lose("the session bus went away");
    }
  }

  // Waits for a job or for the bus.
  void wait() {
    process();
    pollfd fds[2] = {{owner.wake_, POLLIN, 0}, {-1, 0, 0}};
    if (bus != nullptr) {
      fds[1].fd = sd_bus_get_fd(bus.get());
      fds[1].events = static_cast<short>(sd_bus_get_events(bus.get()));
    }
    poll(fds, 2, -1);
    eventfd_t count = 0;
    if (fds[0].revents != 0) {
      eventfd_read(owner.wake_, &count);
    }
    process();
  }

  AskBus& owner;
  BusPtr bus;
  std::map<std::uint32_t, std::string> open;  // notification id -> model
};

AskBus::AskBus(Host host, std::string kept_path)
    : host_(host), kept_path_(std::move(kept_path)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) {
    throw PluginError(LLV_E_FAILED, "no eventfd: " + std::system_category().message(errno));
  }
}

AskBus::~AskBus() {
  if (thread_.joinable()) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    eventfd_write(wake_, 1);
    thread_.join();
  }
  close(wake_);
}

void AskBus::ask(Question question) {
  post({false, std::move(question)});
}

void AskBus::withdraw(const std::string& model) {
  post({true, {model, "", ""}});
}

void AskBus::post(Job job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (jobs_.size() >= 2 * kMaxOpen) {
    answers_.push_back({job.question.model, Reply::none, "the session bus is too slow"});
    return;
  }
  jobs_.push_back(std::move(job));
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  }
  eventfd_write(wake_, 1);
}

std::vector<Answer> AskBus::answers() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(answers_, {});
}

void AskBus::put_answer(Answer answer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  answers_.push_back(std::move(answer));
}

std::deque<AskBus::Job> AskBus::take_jobs() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(jobs_, {});
}

void AskBus::run() {
  Talk talk(*this);
  while (true) {
    for (const Job& job : take_jobs()) {
      job.withdraw ? talk.withdraw(job.question.model) : talk.ask(job.question);
    }
    talk.wait();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ending_) {
      return;
    }
  }
}

}  // namespace llamavisor
