// SPDX-License-Identifier: Apache-2.0
//
// See wakeups.h.
#include "daemon/wakeups.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "core/log.h"

namespace hanet::daemon {

Result<Wakeups> Wakeups::open() {
  // They mean nothing here, and end a process that says nothing of them.
  for (const int signal : {SIGUSR1, SIGPIPE}) ::signal(signal, SIG_IGN);
  Wakeups wakeups;
  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) ::sigaddset(&handled, signal);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  wakeups.signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  wakeups.timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  wakeups.poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!wakeups.signals_.valid() || !wakeups.timer_.valid() || !wakeups.poll_.valid())
    return errno_error(errno, "open hanetd's descriptors");
  for (const int fd : {wakeups.timer_.get(), wakeups.signals_.get()})
    if (Status watched = wakeups.watch(fd); !watched) return pass_on(watched);
  return wakeups;
}

Status Wakeups::watch(int fd) const {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return errno_error(errno, "add a descriptor to epoll");
  return {};
}

Status Wakeups::wait(MonotonicTime until) const {
  // A time that has come would disarm the timer.
  const auto at =
      std::max(until, monotonic_now() + std::chrono::microseconds(10)).time_since_epoch();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(at);
  const itimerspec when{.it_interval = {}, .it_value = {whole.count(), (at - whole).count()}};
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  std::array<epoll_event, 8> events;
  const int ready = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
  if (ready < 0 && errno != EINTR) return errno_error(errno, "wait for events");
  return {};  // setting the timer anew forgets its expiration
}

Wakeups::Signals Wakeups::read_signals() const {
  Signals signals;
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof(signal)) == static_cast<ssize_t>(sizeof(signal)))
    (signal.ssi_signo == SIGHUP    ? signals.reload
     : signal.ssi_signo == SIGUSR2 ? signals.leave
                                   : signals.end) = true;
  return signals;
}

void Watchdog::begin() {
  std::uint64_t limit_us = 0;
  if (::sd_watchdog_enabled(0, &limit_us) > 0) period_ = std::chrono::microseconds(limit_us / 2);
}

void Watchdog::tick(MonotonicTime now) {
  if (period_ == Nanoseconds::zero() || now < next_at_) return;
  next_at_ = now + period_;
  ::sd_notify(0, "WATCHDOG=1");
}

void leave_to_the_next() {
  ::sd_notify(0, "STOPPING=1");
  log::notice("leaving: the kernel side goes on until the next hanetd takes over");
  std::_Exit(0);
}

}  // namespace hanet::daemon
