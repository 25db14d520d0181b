// SPDX-License-Identifier: Apache-2.0
//
// See notifier.h.
#include "daemon/notifier.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/clock.h"
#include "core/log.h"
#include "daemon/hooks.h"
#include "daemon/journal.h"

namespace hanet::daemon {
namespace {

constexpr std::size_t kMaxEvent = 64 * 1024;
constexpr std::size_t kMaxText = 16 * 1024;     // of one that is too long
constexpr int kWaiting = 1024 * 1024;           // bytes of events on their way to the child
constexpr const char* kLogLevel = "log_level";  // the only key of what is no event

std::string text_of(const Json& event) {
  return event.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Empty: hanetd has ended.
std::optional<Json> next_event(int socket) {
  std::string text(kMaxEvent, '\0');
  ssize_t got = 0;
  do got = ::recv(socket, text.data(), text.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  return Json::parse(text, nullptr, false);
}

int milliseconds_until(std::optional<MonotonicTime> when) {
  if (!when) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*when - monotonic_now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

// The journal first: an event is there at once, however long the hooks of the one before take.
void serve(const Fd& socket, const Notifier::Options& options) {
  Hooks hooks(options.hooks, options.limit);
  for (;;) {
    std::array<pollfd, 3> wanted{{{.fd = socket.get(), .events = POLLIN, .revents = 0},
                                  {.fd = hooks.process(), .events = POLLIN, .revents = 0},
                                  {.fd = hooks.output(), .events = POLLIN, .revents = 0}}};
    ::poll(wanted.data(), wanted.size(), milliseconds_until(hooks.next_deadline()));
    if (wanted[0].revents != 0) {
      const std::optional<Json> event = next_event(socket.get());
      if (!event) return;
      if (!event->is_object()) continue;
      if (event->contains(kLogLevel)) {
        log::set_level(event->at(kLogLevel).get<std::string>());
        continue;
      }
      if (options.journal) send_to_journal(*event);
      hooks.add(*event);
    }
    hooks.tick(monotonic_now());
  }
}

[[noreturn]] void be_the_child(Fd socket, const Notifier::Options& options) {
  ::prctl(PR_SET_NAME, "hanet-notifier");
  ::prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);  // what a hook leaves behind comes here
  // Ctrl-C on a terminal reaches all; the end of hanetd is the end of the socket.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  serve(socket, options);
  ::_exit(0);
}

}  // namespace

Result<Notifier> Notifier::start(const Options& options) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return errno_error(errno, "open a socket to the notifier");
  Notifier notifier;
  notifier.socket_.reset(ends[0]);
  Fd other(ends[1]);
  ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &kWaiting, sizeof(kWaiting));
  notifier.child_ = ::fork();
  if (notifier.child_ < 0) return errno_error(errno, "start the notifier");
  if (notifier.child_ == 0) {
    notifier.socket_.reset();
    be_the_child(std::move(other), options);
  }
  return notifier;
}

Notifier& Notifier::operator=(Notifier&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(child_, other.child_);
  std::swap(is_gone_, other.is_gone_);
  return *this;
}

Notifier::~Notifier() {
  if (child_ <= 0) return;
  socket_.reset();
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) continue;
}

bool Notifier::tell(const Json& event) {
  std::string text = text_of(event);
  if (text.size() > kMaxEvent) {
    Json shorter = event;
    shorter["text"] = event.at("text").get<std::string>().substr(0, kMaxText) + " ...";
    text = text_of(shorter);
  }
  return text.size() <= kMaxEvent && send(text);
}

// One that is lost is said again with the next reload.
void Notifier::set_log_level(const std::string& name) {
  [[maybe_unused]] const bool told = send(text_of({{kLogLevel, name}}));
}

// A new child would have to be made of a process that has threads and everything else open by now.
bool Notifier::send(const std::string& text) {
  if (::send(socket_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
    return true;
  if ((errno == EPIPE || errno == ECONNRESET) && !std::exchange(is_gone_, true))
    log::error(
        "the process that runs hooks and writes to the journal has ended: no hook runs, and the "
        "journal gets plain lines, until 'systemctl restart hanetd'");
  return false;
}

}  // namespace hanet::daemon
