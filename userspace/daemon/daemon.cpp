// SPDX-License-Identifier: Apache-2.0
//
// See daemon.h.
#include "daemon/daemon.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "report/status.h"

namespace hanet::daemon {
namespace {

// The loop looks at the maps this often although nothing woke it: a lost event costs no more.
constexpr Nanoseconds kReconcile = std::chrono::milliseconds(50);

constexpr unsigned kGroups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                             RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
                             RTMGRP_NEIGH | (1U << (RTNLGRP_IPV6_RULE - 1));

Status watch(const Fd& poll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return errno_error(errno, "add a descriptor to epoll");
  return {};
}

log::Level level_of(const group::Notice& notice) {
  if (notice.event == "alarm") return log::Level::Error;
  return notice.event == "path-down" ? log::Level::Warning : log::Level::Notice;
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(const config::Config& config,
                                              const DaemonOptions& options) {
  std::unique_ptr<Daemon> daemon(new Daemon);
  daemon->started_ = monotonic_now();
  for (const config::GroupConfig& group : config.groups) {
    for (const config::PathConfig& path : group.paths)
      for (const config::PortConfig& port : path.ports) {
        Result<net::PortLock> lock = net::PortLock::take(port.interface);
        if (!lock) return pass_on(lock);
        daemon->locks_.push_back(std::move(*lock));
      }
  }
  for (const std::filesystem::path& directory : {options.run_directory, options.pin_directory}) {
    Result<net::PortLock> lock =
        net::PortLock::take_directory(directory.lexically_normal().string());
    if (!lock) return pass_on(lock);
    daemon->locks_.push_back(std::move(*lock));
  }
  if (Status done = daemon->open_descriptors(config, options); !done) return pass_on(done);
  if (Status done = daemon->start_groups(config, options); !done) return pass_on(done);
  return daemon;
}

Status Daemon::open_descriptors(const config::Config& config, const DaemonOptions& options) {
  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&handled, signal);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!signals_.valid() || !timer_.valid() || !poll_.valid())
    return errno_error(errno, "open hanetd's descriptors");

  Result<net::NetlinkSocket> requests = net::NetlinkSocket::open();
  if (!requests) return pass_on(requests);
  requests_ = std::move(*requests);
  Result<net::NetlinkSocket> notifications = net::NetlinkSocket::open(kGroups);
  if (!notifications) return pass_on(notifications);
  notifications_ = std::move(*notifications);

  std::error_code failed;
  std::filesystem::create_directories(options.run_directory, failed);
  if (failed)
    return errno_error(failed.value(), fmt::format("create {}", options.run_directory.string()));
  Result<ControlSocket> control = ControlSocket::open(options.run_directory / "hanetd.sock");
  if (!control) return pass_on(control);
  control_ = std::make_unique<ControlSocket>(std::move(*control));

  Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::load(
      {.pin_directory = options.pin_directory,
       .watch_silence = std::ranges::any_of(config.groups, &config::GroupConfig::watches_silence),
       .bpf_timer = options.bpf_timer});
  if (!engine) return pass_on(engine);
  engine_ = std::move(*engine);
  for (const int fd : {engine_->event_descriptor(), notifications_.descriptor(), timer_.get(),
                       control_->descriptor(), signals_.get()})
    if (Status done = watch(poll_, fd); !done) return done;
  return {};
}

Status Daemon::start_groups(const config::Config& config, const DaemonOptions& options) {
  for (std::size_t at = 0; at < config.groups.size(); ++at) {
    groups_.push_back(std::make_unique<group::GroupRunner>(
        config.groups[at], static_cast<engine::GroupIndex>(at),
        group::Surroundings{.engine = *engine_,
                            .requests = requests_,
                            .history = history_,
                            .publish = [this](const group::Notice& notice) { publish(notice); },
                            .is_port =
                                [this](unsigned ifindex) {
                                  return std::ranges::any_of(groups_, [&](const auto& group) {
                                    return std::ranges::any_of(
                                        group->ports(), [&](const group::RunningPort& port) {
                                          return port.present && port.interface.index == ifindex;
                                        });
                                  });
                                },
                            .replace_socket =
                                [this](engine::SessionIndex session, net::PacketSocket socket) {
                                  sender_->replace_socket(session, std::move(socket));
                                },
                            .drain_notifications = [this] { read_notifications(); },
                            .run_directory = options.run_directory}));
    if (Status looked = groups_.back()->look(); !looked) return looked;
  }
  std::vector<engine::RequestFrames> requests;
  for (const auto& group : groups_) {
    Result<std::vector<engine::RequestFrames>> started = group->start();
    if (!started) return pass_on(started);
    std::ranges::move(*started, std::back_inserter(requests));
  }
  sender_ = std::make_unique<engine::Sender>(*engine_, std::move(requests));
  for (const auto& group : groups_)
    if (Status begun = group->begin_monitoring(); !begun) return begun;
  return {};
}

Daemon::~Daemon() {
  sender_.reset();
  for (const auto& group : groups_) group->stop();
}

void Daemon::publish(const group::Notice& notice) {
  log::write_line(level_of(notice), fmt::format("{}: {}", notice.group, notice.text));
  control_->broadcast(report::notice_json(notice));
}

Status Daemon::run() {
  std::uint64_t watchdog_us = 0;
  if (::sd_watchdog_enabled(0, &watchdog_us) > 0)
    watchdog_ = std::chrono::microseconds(watchdog_us / 2);
  ::sd_notifyf(0, "READY=1\nSTATUS=watching %zu group(s)", groups_.size());
  log::notice("watching {} group(s); link events from {}; deadlines kept by {}", groups_.size(),
              engine_->capabilities().link_source, engine_->capabilities().deadlines);
  for (;;) {
    set_timer();
    std::array<epoll_event, 8> events;
    const int ready = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (ready < 0 && errno != EINTR) return errno_error(errno, "wait for events");
    read_kernel_events();
    read_notifications();
    tick();
    control_->serve([this](const Json& request) { return answer(request); });
    control_->flush();
    if (handle_signal()) break;
  }
  ::sd_notify(0, "STOPPING=1");
  log::notice("stopping: detaching, every identity stays where it is");
  return {};
}

void Daemon::read_kernel_events() {
  const MonotonicTime received = monotonic_now();
  bool changed = false;
  engine_->read_events([&](const hanet_event& event, MonotonicTime) {
    changed = true;
    if (event.type == HANET_EVENT_PARAMS_CLAMPED && event.group < groups_.size())
      log::warning(
          "{}: a live parameter is out of range and was clamped; 'hanetctl status' shows "
          "what is in force",
          groups_[event.group]->config().name);
  });
  const std::uint64_t dropped = engine::load(engine_->accounts().events_dropped);
  if (!changed && dropped == dropped_events_) return;
  dropped_events_ = dropped;
  for (const auto& group : groups_) group->refresh(received);
}

void Daemon::read_notifications() {
  const Result<bool> complete = notifications_.read_notifications(
      [this](const nlmsghdr& message) { handle_notification(message); });
  if (complete && *complete) return;
  // Some were dropped, so nothing is known: read everything anew.
  for (const auto& group : groups_) group->distrust_snapshot();
  look_at_links();
}

void Daemon::look_at_links() {
  const bool told = std::exchange(look_again_, false);
  for (const auto& group : groups_)
    for (const group::RunningPort& port : group->ports()) {
      const Result<net::LinkInfo> link = net::read_link(requests_, port.interface.index);
      if (link) {
        group->link_changed(*link, false);
      } else if (link.error().code == ENODEV) {
        group->link_changed({.interface = port.interface}, true);
      } else {
        look_again_ = true;
        if (!told)
          log::warning("{}: {} can not be looked at, hanetd tries again: {}", group->config().name,
                       port.interface.name, link.error().message);
      }
    }
}

void Daemon::handle_notification(const nlmsghdr& message) {
  const void* payload = mnl_nlmsg_get_payload(&message);
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const auto* header = static_cast<const ifinfomsg*>(payload);
      if (header->ifi_family != AF_UNSPEC) return;  // a bridge's or AF_INET6's view of the link
      const net::LinkInfo link = net::link_of(message);
      for (const auto& group : groups_)
        group->link_changed(link, message.nlmsg_type == RTM_DELLINK);
      return;
    }
    default:
      for (const auto& group : groups_) group->hear(message);
  }
}

void Daemon::tick() {
  std::uint64_t expirations = 0;
  [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &expirations, sizeof(expirations));
  if (look_again_) look_at_links();
  const MonotonicTime now = monotonic_now();
  for (const auto& group : groups_) group->tick(now);
  if (sender_) sender_->close_replaced_sockets();
  if (watchdog_ > Nanoseconds::zero() && now >= next_watchdog_) {
    next_watchdog_ = now + watchdog_;
    ::sd_notify(0, "WATCHDOG=1");
  }
}

void Daemon::set_timer() {
  const MonotonicTime now = monotonic_now();
  MonotonicTime next = now + kReconcile;
  for (const auto& group : groups_)
    if (const auto wanted = group->next_deadline(now)) next = std::min(next, *wanted);
  next = std::max(next, now + std::chrono::microseconds(10));
  const auto at = next.time_since_epoch();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(at);
  const itimerspec when{.it_interval = {}, .it_value = {whole.count(), (at - whole).count()}};
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

bool Daemon::handle_signal() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof(signal)) == static_cast<ssize_t>(sizeof(signal)))
    if (signal.ssi_signo != SIGHUP) return true;
  return false;
}

group::GroupRunner* Daemon::find_group(const std::string& name) {
  const auto found = std::ranges::find_if(
      groups_, [&](const auto& group) { return group->config().name == name; });
  return found == groups_.end() ? nullptr : found->get();
}

Json Daemon::answer(const Json& request) {
  const std::string command = request.value("command", "");
  const MonotonicTime now = monotonic_now();
  if (command == "status") {
    Json groups = Json::array();
    for (const auto& group : groups_)
      groups.push_back(report::group_json(*group, *engine_, sender_.get(), now));
    return {{"ok", true},
            {"daemon",
             {{"pid", ::getpid()},
              {"version", HANET_VERSION},
              {"uptime_s", std::chrono::duration<double>(now - started_).count()},
              {"link_source", engine_->capabilities().link_source},
              {"deadlines", engine_->capabilities().deadlines},
              {"kernel", report::kernel_json(engine_->capabilities())},
              {"events_dropped", engine_->accounts().events_dropped}}},
            {"groups", std::move(groups)}};
  }
  if (command == "explain") {
    const auto& kept = history_.records();
    const auto last = std::min(request.value("last", kept.size()), kept.size());
    Json records = Json::array();
    for (std::size_t at = kept.size() - last; at < kept.size(); ++at)
      records.push_back(report::record_json(kept[at]));
    return {{"ok", true}, {"switchovers", std::move(records)}};
  }
  if (command == "switch" || command == "set" || command == "remove" || command == "add")
    return answer_group(command, request);
  return {{"ok", false}, {"error", fmt::format("unknown command '{}'", command)}};
}

Json Daemon::answer_group(const std::string& command, const Json& request) {
  const std::string name = request.value("group", "");
  group::GroupRunner* group = find_group(name);
  if (group == nullptr) {
    std::vector<std::string> names;
    for (const auto& each : groups_) names.push_back(each->config().name);
    return {{"ok", false},
            {"error", fmt::format("no group '{}'; there is {}", name, fmt::join(names, ", "))}};
  }
  if (command == "switch" && request.value("dry_run", false)) {
    const Result<const failover::Plan*> plan = group->preview(request.value("to", ""));
    if (!plan) return {{"ok", false}, {"error", plan.error().message}};
    return {{"ok", true}, {"steps", report::plan_json(**plan)}};
  }
  const auto carry_out = [&]() -> Status {
    if (command == "switch") return group->switch_to(request.value("to", ""));
    if (command == "remove") return group->take_out(request.value("port", ""));
    if (command == "add") return group->put_back(request.value("port", ""));
    return group->set(request.value("key", ""), request.value("value", ""));
  };
  const Status done = carry_out();
  if (!done) return {{"ok", false}, {"error", done.error().message}};
  return {{"ok", true}};
}

}  // namespace hanet::daemon
