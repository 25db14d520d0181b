// SPDX-License-Identifier: Apache-2.0
//
// One path group at work: joins engine, policy and failover.
//
//   kernel side changes -> port states -> decide() -> switchover -> record
//
// The ring only wakes: on every wake-up the runner reads its ports' states from the maps and gives
// the differences to the policy, so a lost event costs time and never a decision. The identity is
// captured again whenever rtnetlink says that something changed, and the plan of the next
// switchover is encoded right then.
//
// Threading: everything runs on hanetd's main thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/sender.h"
#include "failover/plan.h"
#include "failover/record.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/packet_socket.h"
#include "policy/group.h"
#include "service/config.h"
#include "service/standby.h"

namespace hanet::service {

/// Copper that negotiates takes up to four seconds; until then neither a missing carrier nor
/// silence says anything.
inline constexpr Nanoseconds kSettleTime = std::chrono::seconds(5);

/// What a group tells the world: one line for people, one object for programs.
struct Notice {
  MonotonicTime at{};
  std::chrono::system_clock::time_point wall_time;
  std::string event;  ///< "path-down", "path-up", "switchover", "alarm" ...
  std::string group;
  std::string path;
  std::string text;
};

/// What a runner needs from its daemon.
struct Surroundings {
  engine::Engine& engine;
  net::NetlinkSocket& requests;
  failover::History& history;
  std::function<void(const Notice&)> publish;
  /// Reads pending rtnetlink notifications, so that a capture is as fresh as the failure.
  std::function<void()> drain_notifications;
};

/// A path's port, as the runner holds it.
struct RunningPort {
  net::InterfaceName interface;
  engine::PortIndex port = 0;
  engine::SessionIndex session = 0;
  net::MacAddress probe_mac{};
  net::MacAddress spare_mac{};  ///< what the port is called while it carries no identity
  net::PacketSocket announcer;
  bool present = true;
  bool admin_up = true;
  bool rtnetlink_carrier = true;
  bool carrier_seen = false;     ///< since the port was last brought up
  MonotonicTime settle_until{};  ///< a link that negotiates is not a lost link
  std::optional<StandbyBefore> before;
  bool waited_at_start = false;  ///< it was a standby when hanetd came
  MonotonicTime down_since{};    ///< when hanetd had the news that the path is down
};

class GroupRunner {
 public:
  GroupRunner(const config::GroupConfig& config, engine::GroupIndex index, Surroundings around);

  /// Looks at the ports, prepares the standby, attaches, captures. Nothing is changed when a port
  /// can not be used. Returns what the sender has to send.
  [[nodiscard]] Result<std::vector<engine::RequestFrames>> start();
  /// Starts the sessions; call when the sender runs.
  [[nodiscard]] Status begin_monitoring();
  /// Puts standby settings back; the identity stays where it is.
  void stop();

  /// Reads the maps and acts on what changed. `received`: when user space was woken.
  void refresh(MonotonicTime received);
  void link_changed(const net::LinkInfo& link, bool removed);
  /// Something of the identity changed on an interface; 0: on any.
  void identity_changed(unsigned ifindex);
  /// RTM_NEWNEIGH or RTM_DELNEIGH.
  void neighbour_changed(const nlmsghdr& message);
  /// Timers: announcements, capture, policy deadlines.
  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline(MonotonicTime now) const;

  /// A person's switch. Returns when it is carried out or refused.
  [[nodiscard]] Status switch_to(const std::string& interface);
  /// Live parameter. The error says what is allowed.
  [[nodiscard]] Status set(const std::string& key, const std::string& value);

  [[nodiscard]] const config::GroupConfig& config() const { return config_; }
  [[nodiscard]] engine::GroupIndex index() const { return index_; }
  [[nodiscard]] const policy::GroupState& state() const { return state_; }
  [[nodiscard]] const std::vector<RunningPort>& ports() const { return ports_; }
  [[nodiscard]] const net::Identity& identity() const { return identity_; }

 private:
  [[nodiscard]] Status look_at_ports();
  [[nodiscard]] Status prepare_idle_ports();
  [[nodiscard]] Result<engine::RequestFrames> attach(std::size_t at);
  [[nodiscard]] policy::PortState port_state(std::size_t at, MonotonicTime now);
  /// A standby is "up" and the active path went silent, but the standby has not answered since:
  /// perhaps the target itself died, and the next reply or verdict will tell.
  [[nodiscard]] bool awaits_proof(std::size_t at) const;
  void apply(const policy::Event& event, MonotonicTime received);
  void act(const policy::Action& action, MonotonicTime received);
  void perform(const policy::Switchover& switchover, MonotonicTime received);
  [[nodiscard]] failover::SwitchoverRecord begin_record(const policy::Switchover& switchover,
                                                        MonotonicTime received) const;
  void after_move(const policy::Switchover& switchover, const failover::Plan& plan,
                  failover::Outcome outcome);
  void release_needless_bridging();
  void finish_afterwards();
  void recapture();
  void read_known_neighbours();
  void prepare_plan();
  void announce(const failover::Plan& plan);
  void announce_again(MonotonicTime now);
  static void expect_negotiation(RunningPort& port);
  void hear_identity();
  [[nodiscard]] Nanoseconds proof_interval(std::size_t at) const;
  void refresh_port(std::size_t at, MonotonicTime received);
  void flush_notices();
  void publish(std::string event, std::size_t path, std::string text);

  config::GroupConfig config_;
  engine::GroupIndex index_;
  Surroundings around_;
  policy::GroupRules rules_;
  policy::GroupState state_;
  std::vector<RunningPort> ports_;
  net::Identity identity_;
  std::optional<failover::Plan> plan_;
  std::vector<net::KernelObject> known_neighbours_;
  bool plan_outdated_ = false;
  bool identity_stale_ = false;
  MonotonicTime captured_at_{};
  net::MacAddress heard_mac_{};
  MonotonicTime recapture_at_{};
  std::vector<net::Frame> announcements_;
  std::uint32_t announcements_left_ = 0;
  std::vector<failover::Step> afterwards_;
  MonotonicTime afterwards_at_{};
  MonotonicTime announce_at_{};
  std::string refusal_;
  std::vector<Notice> notices_;
};

}  // namespace hanet::service
