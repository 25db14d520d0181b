// SPDX-License-Identifier: Apache-2.0
//
// See daemon.h.
#include "daemon/daemon.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "daemon/journal.h"
#include "daemon/taken_over.h"
#include "report/status.h"

namespace hanet::daemon {
namespace {

// The loop looks at the maps this often although nothing woke it: a lost event costs no more.
constexpr Nanoseconds kReconcile = std::chrono::milliseconds(50);

// How often those are let go who have asked who holds a lock.
constexpr Nanoseconds kLetGo = std::chrono::seconds(1);

constexpr unsigned kGroups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                             RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
                             RTMGRP_NEIGH | (1U << (RTNLGRP_IPV6_RULE - 1)) |
                             (1U << (RTNLGRP_NEXTHOP - 1));

// The pacer is a pair of interfaces, and a warm standby promises that none is made (spec F6).
std::string no_pacer_because(const config::Config& config, const DaemonOptions& options) {
  if (!options.pacer) return "as asked for (--no-pacer)";
  const auto warm = std::ranges::find(config.groups, config::StandbyMode::Warm,
                                      &config::GroupConfig::standby_mode);
  if (warm == config.groups.end()) return {};
  return fmt::format("as the warm standby of {} allows no new interface", warm->name);
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(const Candidate& candidate, Unconfirmed& unconfirmed,
                                              const DaemonOptions& options) {
  const config::Config& config = candidate.config;
  std::unique_ptr<Daemon> daemon(new Daemon);
  daemon->started_ = monotonic_now();
  Result<Notifier> notifier = Notifier::start(
      {.hooks = options.hooks, .journal = log::goes_to_journal(), .limit = options.hook_limit});
  if (!notifier) return pass_on(notifier);
  daemon->notifier_ = std::move(*notifier);
  if (Status locked = daemon->lock(config, options); !locked) return pass_on(locked);
  if (Status done = daemon->open_descriptors(config, options); !done) return pass_on(done);
  const auto publish = [self = daemon.get()](const group::Notice& notice) {
    self->publish(notice);
  };
  daemon->groups_ = std::make_unique<GroupSet>(
      *daemon->engine_,
      GroupSet::Lateness{.is_allowed = options.wait, .run_directory = options.run_directory},
      [self = daemon.get(), options] { return self->environment(options); },
      [self = daemon.get()] {
        self->engine_->show_presence(monotonic_now());
        self->watchdog_.tick(monotonic_now());
      });
  daemon->open_metrics();
  // What was a way back is run as it was, or not at all: there is the file.
  Status started =
      candidate.is_way_back ? daemon->groups_->change(config) : daemon->groups_->start(config);
  if (!started) return pass_on(started);
  daemon->reloads_ = std::make_unique<Reloads>(
      Reloads::Where{.file = options.config_file, .run_directory = options.run_directory},
      candidate, unconfirmed, *daemon->groups_, daemon->ports_, publish);
  if (candidate.is_way_back) daemon->reloads_->tell_way_back();
  return daemon;
}

Status Daemon::lock(const config::Config& config, const DaemonOptions& options) {
  if (Status locked = ports_.take(config); !locked) return locked;
  std::vector<std::filesystem::path> own{options.run_directory, options.pin_directory};
  if (!options.state_directory.empty()) own.push_back(options.state_directory);
  for (const std::filesystem::path& directory : own) {
    Result<net::PortLock> lock =
        net::PortLock::take_directory(directory.lexically_normal().string());
    if (!lock) return pass_on(lock);
    directories_.push_back(std::move(*lock));
  }
  return {};
}

Status Daemon::open_descriptors(const config::Config& config, const DaemonOptions& options) {
  Result<Wakeups> wakeups = Wakeups::open();
  if (!wakeups) return pass_on(wakeups);
  wakeups_ = std::move(*wakeups);

  Result<net::NetlinkSocket> requests = net::NetlinkSocket::open();
  if (!requests) return pass_on(requests);
  requests_ = std::move(*requests);
  Result<net::NetlinkSocket> notifications = net::NetlinkSocket::open(kGroups);
  if (!notifications) return pass_on(notifications);
  notifications_ = std::move(*notifications);

  Result<ControlSockets> sockets = open_control_sockets(options.run_directory);
  if (!sockets) return pass_on(sockets);
  control_ = std::move(sockets->control);
  reading_ = std::move(sockets->reading);
  remember(options.lasting());

  Result<std::unique_ptr<engine::Engine>> engine =
      engine::Engine::load({.pin_directory = options.pin_directory,
                            .no_pacer_because = no_pacer_because(config, options),
                            .bpf_timer = options.bpf_timer});
  if (!engine) return pass_on(engine);
  engine_ = std::move(*engine);
  for (const int fd : {engine_->event_descriptor(), notifications_.descriptor(),
                       control_->descriptor(), reading_->descriptor()})
    if (Status done = wakeups_.watch(fd); !done) return done;
  return {};
}

// A disk that can not be written to is no reason not to guard the network: saving warns.
void Daemon::remember(const std::filesystem::path& directory) {
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);
  kept_history_ = std::make_unique<KeptHistory>(directory);
  if (Status kept = kept_history_->load(); !kept) log::warning("{}", kept.error().message);
  history_.number_from(kept_history_->records().last_number);
}

// A host is not left without failover because nobody could count it.
void Daemon::open_metrics() {
  Result<std::unique_ptr<MetricsSource>> metrics =
      MetricsSource::open({.engine = *engine_, .history = history_, .groups = *groups_});
  if (!metrics) return log::warning("there are no metrics: {}", metrics.error().message);
  metrics_ = std::move(*metrics);
  for (ControlSocket* socket : {control_.get(), reading_.get()})
    socket->hand_out_by([this](int client) { return metrics_->hand_out(client); });
}

bool Daemon::is_port(unsigned ifindex) const {
  return std::ranges::any_of(groups_->all(), [&](const auto& group) {
    return std::ranges::any_of(group->view().ports.all(), [&](const group::Port& port) {
      return port.present() && port.interface.index == ifindex;
    });
  });
}

group::Environment Daemon::environment(const DaemonOptions& options) {
  return {.engine = *engine_,
          .requests = requests_,
          .history = history_,
          .publish = [this](const group::Notice& notice) { publish(notice); },
          .is_port = [this](unsigned ifindex) { return is_port(ifindex); },
          .replace_socket =
              [this](engine::SessionIndex session, net::PacketSocket socket) {
                groups_->sender()->replace_socket(session, std::move(socket));
              },
          .is_blind =
              [this](engine::SessionIndex session) {
                const engine::Sender* sender = groups_->sender();
                return sender != nullptr && sender->account(session).is_blind();
              },
          .drain_notifications = [this] { read_notifications(); },
          .run_directory = options.run_directory};
}

Daemon::~Daemon() {
  if (groups_) groups_->end_all();
  if (!kept_history_) return;
  kept_history_->follow(history_, monotonic_now());
  kept_history_->finish();
}

void Daemon::publish(const group::Notice& notice) {
  const Json event = report::notice_json(notice);
  if (notice.event == "reload" || notice.event == "reload-undone")
    notifier_.set_log_level(reloads_->running().log_level);
  const bool told = notifier_.tell(event);
  if (!told || !log::goes_to_journal())
    log::write_line(level_of(notice.event), fmt::format("{}: {}", notice.group, notice.text));
  for (ControlSocket* socket : {control_.get(), reading_.get()}) socket->broadcast(event);
  kept_history_->hear(notice);
  if (metrics_) metrics_->hear(notice);
}

Status Daemon::run() {
  watchdog_.begin();
  const Answers answers({.engine = *engine_,
                         .history = *kept_history_,
                         .groups = *groups_,
                         .reloads = *reloads_,
                         .started = started_},
                        [this](const group::Notice& notice) { publish(notice); });
  const auto answer = [&](const Json& request) { return answers(request); };
  const auto answer_reader = [&](const Json& request) { return answers.to_reader(request); };
  ::sd_notify(0, "READY=1");
  tell_service_manager();
  const engine::Capabilities& kernel = engine_->capabilities();
  log::notice("watching {} group(s); link events from {}; deadlines kept by {}; requests from {}",
              groups_->all().size(), kernel.link_source, kernel.deadlines, kernel.pacer);
  tell_if_taken_over();
  // What is known of a path already is acted on before anything else is heard.
  for (const auto& group : groups_->all()) group->refresh(monotonic_now());
  while (!ends_) {
    if (Status waited = wakeups_.wait(next_deadline()); !waited) return waited;
    tell_if_away(engine_->show_presence(monotonic_now()));
    read_kernel_events();
    read_notifications();
    tick();
    keep_history();
    if (metrics_) metrics_->tick(groups_->sender(), monotonic_now());
    control_->serve(answer, monotonic_now());
    reading_->serve(answer_reader, monotonic_now());
    control_->flush();
    reading_->flush();
    answer_signals();
  }
  ::sd_notify(0, "STOPPING=1");
  log::notice("stopping: detaching, every identity stays where it is");
  engine_->end_left();
  return {};
}

// Told when it is over, so each group's word was the one that counted.
void Daemon::tell_if_away(Nanoseconds away) {
  if (away < std::chrono::milliseconds(HANET_UNATTENDED_MS)) return;
  std::string text =
      fmt::format("hanetd stood still for {:.1f} s", std::chrono::duration<double>(away).count());
  for (const auto& group : groups_->all()) {
    const hanet_params& params = engine_->params(group->view().index);
    const std::uint32_t loss = hanet_daemon_loss(&params, away.count());
    if (loss != HANET_LOSS_STEER)
      text += fmt::format("; {}: {}", group->view().config.name,
                          loss == HANET_LOSS_DETECT ? "nothing new was bridged meanwhile"
                                                    : "it was released meanwhile");
  }
  away_text_ = std::move(text);
}

void Daemon::tell_if_taken_over() {
  if (std::exchange(told_taken_over_, engine_->taken_over().size()) != engine_->taken_over().size())
    tell_taken_over(*engine_, [this](const group::Notice& notice) { publish(notice); });
}

void Daemon::tell_service_manager() {
  std::string text;
  if (!groups_->all().empty()) text = fmt::format("watching {} group(s)", groups_->all().size());
  for (const LateGroup& late : groups_->late())
    text += fmt::format("{}{} is {}", text.empty() ? "" : "; ", late.config.name, late.text());
  if (reloads_->is_way_back())
    text += "; what runs is not the configuration file, which nobody has confirmed";
  if (std::exchange(told_service_manager_, text) != text)
    ::sd_notifyf(0, "STATUS=%s", text.c_str());
}

void Daemon::answer_signals() {
  const Wakeups::Signals signals = wakeups_.read_signals();
  if (signals.leave || (signals.end && must_outlive())) leave();
  ends_ = signals.end;
  if (signals.end || !signals.reload) return;
  // Whoever sends a signal reads the log.
  [[maybe_unused]] const auto told = reloads_->reload(std::nullopt);
}

// Without the kernel side a metanetwork device carries nothing. Of a late group a killed hanetd's
// may do so.
bool Daemon::must_outlive() const {
  const auto outlives = [](const config::GroupConfig& group) {
    if (group.has_device() && !group.take_over)
      log::notice(
          "{} has addresses of this host, so the kernel side of every group goes on without "
          "hanetd; "
          "'hanetctl detach' ends it",
          group.name);
    return group.has_device() && !group.take_over;
  };
  return std::ranges::any_of(groups_->running().groups, outlives);
}

void Daemon::leave() {
  kept_history_->follow(history_, monotonic_now());
  kept_history_->finish();
  leave_to_the_next();
}

void Daemon::read_kernel_events() {
  const MonotonicTime received = monotonic_now();
  bool changed = false;
  engine_->read_events([&](const hanet_event& event, MonotonicTime) {
    changed = true;
    const group::PathGroup* group = groups_->at(event.group);
    if (event.type == HANET_EVENT_PARAMS_CLAMPED && group != nullptr)
      log::warning(
          "{}: a live parameter is out of range and was clamped; 'hanetctl status' shows "
          "what is in force",
          group->view().config.name);
  });
  const std::uint64_t dropped = engine::load(engine_->accounts().events_dropped);
  if (!changed && dropped == dropped_events_) return;
  dropped_events_ = dropped;
  for (const auto& group : groups_->all()) group->refresh(received);
}

void Daemon::read_notifications() {
  const Result<bool> complete = notifications_.read_notifications(
      [this](const nlmsghdr& message) { handle_notification(message); });
  if (complete && *complete) return;
  // Some were dropped, so nothing is known: read everything anew.
  for (const auto& group : groups_->all()) group->distrust_snapshot();
  look_at_links();
}

void Daemon::look_at_links() {
  const bool told = std::exchange(look_again_, false);
  for (const auto& group : groups_->all())
    for (const group::Port& port : group->view().ports.all()) {
      const Result<net::LinkInfo> link = net::read_link(requests_, port.interface.index);
      if (link) {
        group->link_changed(*link, false);
      } else if (link.error().code == ENODEV) {
        group->link_changed({.interface = port.interface}, true);
      } else {
        look_again_ = true;
        if (!told)
          log::warning("{}: {} can not be looked at, hanetd tries again: {}",
                       group->view().config.name, port.interface.name, link.error().message);
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
      for (const auto& group : groups_->all())
        group->link_changed(link, message.nlmsg_type == RTM_DELLINK);
      return;
    }
    default:
      for (const auto& group : groups_->all()) group->hear(message);
  }
}

void Daemon::tick() {
  if (look_again_) look_at_links();
  const MonotonicTime now = monotonic_now();
  engine_->attend(now);
  for (const auto& group : groups_->all()) group->tick(now);
  if (!is_switching()) {  // a switchover waits for nothing of this
    engine_->tick(now);
    if (!away_text_.empty()) {
      group::Notices notices(group::kOfHanetd,
                             [this](const group::Notice& notice) { publish(notice); });
      notices.add("stood-still", "", std::exchange(away_text_, {}));
      notices.flush();
    }
    groups_->begin_late(now);
    tell_if_taken_over();
    tell_service_manager();
    let_askers_go(now);
  }
  if (engine::Sender* sender = groups_->sender()) sender->close_replaced_sockets();
  reloads_->tick(now);
  watchdog_.tick(now);
}

void Daemon::let_askers_go(MonotonicTime now) {
  if (now < let_go_at_) return;
  let_go_at_ = now + kLetGo;
  ports_.let_go();
  for (const net::PortLock& lock : directories_) lock.let_go();
}

// Not while a switchover runs: it would wait for the file.
void Daemon::keep_history() {
  const MonotonicTime now = monotonic_now();
  kept_history_->follow(history_, now);
  if (!is_switching()) kept_history_->tick(now);
}

bool Daemon::is_switching() const {
  return std::ranges::any_of(
      groups_->all(), [](const auto& group) { return group->view().state.running.has_value(); });
}

MonotonicTime Daemon::next_deadline() const {
  const MonotonicTime now = monotonic_now();
  MonotonicTime next = now + kReconcile;
  for (const auto& group : groups_->all())
    if (const auto wanted = group->next_deadline(now)) next = std::min(next, *wanted);
  if (const auto undone = reloads_->next_deadline()) next = std::min(next, *undone);
  return next;
}

}  // namespace hanet::daemon
