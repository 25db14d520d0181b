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
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "engine/engine.h"
#include "engine/sender.h"
#include "failover/plan.h"
#include "failover/record.h"
#include "group/identity_keeper.h"
#include "group/notice.h"
#include "group/standby.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/packet_socket.h"
#include "net/port_lock.h"
#include "policy/group.h"
#include "snapshot/store.h"

namespace hanet::group {

/// Copper that negotiates takes up to four seconds; until then neither a missing carrier nor
/// silence says anything.
inline constexpr Nanoseconds kSettleTime = std::chrono::seconds(5);

/// What a path gets for its first answers. A target that never answers is searched for once a
/// second (engine/sender.cpp), so the default multiplier of 3 takes as long to give it up.
inline constexpr Nanoseconds kFirstAnswers = std::chrono::seconds(2);

/// What a runner needs from its daemon.
struct Surroundings {
  engine::Engine& engine;
  net::NetlinkSocket& requests;
  failover::History& history;
  std::function<void(const Notice&)> publish;
  /// Whether any group uses an interface as a port now.
  std::function<bool(unsigned ifindex)> is_port;
  /// Gives the sender a socket on an interface that is new.
  std::function<void(engine::SessionIndex, net::PacketSocket)> replace_socket;
  /// Reads pending rtnetlink notifications, so that a capture is as fresh as the failure.
  std::function<void()> drain_notifications;
  std::filesystem::path run_directory{};  ///< where snapshots are kept
};

/// A path's port, as the runner holds it.
struct RunningPort {
  std::size_t path = 0;
  std::size_t slot = 0;  ///< which of the path's ports
  net::InterfaceName interface;
  std::vector<net::Vlan> vlans{};  ///< on it, in the order of their tags
  engine::PortIndex port = 0;
  engine::SessionIndex session = 0;
  net::MacAddress probe_mac{};
  net::MacAddress spare_mac{};  ///< what the port is called while it carries no identity
  /// What the port's frames are called while another port of its trunk speaks as the identity.
  net::MacAddress wire_mac{};
  std::uint32_t weight = 1;
  net::PacketSocket announcer;
  bool present = true;
  bool admin_up = true;
  bool rtnetlink_carrier = true;
  bool carrier_seen = false;     ///< since the port was last brought up
  bool carrier_doubted = false;  ///< see Engine::doubts_carrier
  MonotonicTime settle_until{};  ///< a link that negotiates is not a lost link
  std::optional<StandbyBefore> before;
  bool waited_at_start = false;  ///< it was a standby when hanetd came
  net::MacAddress first_mac{};   ///< its own, if it tells: a card is known by it under another name
  std::string bus_path{};        ///< where it was: another card there takes its role
  bool taken_out = false;        ///< a person removed it from the group
  std::string expected_name;     ///< of a port that is not there
  MonotonicTime come_back_at{};  ///< when to look for it again
  std::string trouble;           ///< why it could not be used last time
  std::optional<net::PortLock> lock;         ///< under a name that the configuration does not have
  std::optional<MonotonicTime> judged_at{};  ///< until then its heartbeats are not judged
  /// Until then silence says nothing, unless it has been up: hanetd only began to ask.
  MonotonicTime first_answers_until{};
  bool held_back = false;      ///< the kernel says it is down, and it was given time all the same
  MonotonicTime down_since{};  ///< when hanetd had the news that the port is down
  bool unheard_told = false;   ///< silence: nothing was heard yet, and that was said
  [[nodiscard]] net::Place place() const { return {interface, vlans}; }
};

/// A device on top of a port or of its VLANs, which a switchover would leave behind.
struct Upper {
  unsigned index = 0;
  net::InterfaceName below;  ///< the port, or the VLAN
  std::string name;
  std::string kind;
  bool is_master = false;      ///< a bridge or bond that `below` is a member of
  std::uint32_t vlan_tag = 0;  ///< of a VLAN that the other port has not
};

/// Is there more than what the kernel makes by itself?
[[nodiscard]] bool has_own_address(const net::Identity& identity);

/// A switchover that is decided and not yet carried out.
struct Move {
  policy::Switchover switchover;
  failover::SwitchoverRecord record;
  MonotonicTime begins{};
  bool announced = false;  ///< once, when the kernel began to bridge
  /// Only the lead of a trunk changes: no path goes down or comes up.
  [[nodiscard]] bool within_trunk() const { return switchover.from == switchover.to; }
};

/// A part of the identity was taken, and is to be put back.
struct Restoration {
  MonotonicTime at{};
  bool intruded = false;  ///< somebody took it
  bool came_up = false;   ///< the interface was down, which took it
};

class GroupRunner {
 public:
  GroupRunner(const config::GroupConfig& config, engine::GroupIndex index, Surroundings around);

  /// Looks at the ports and captures the identity. Changes nothing: a port that can not be used is
  /// found here, before any group is started.
  [[nodiscard]] Status look();
  /// Prepares the standby and attaches. Returns what the sender has to send.
  [[nodiscard]] Result<std::vector<engine::RequestFrames>> start();
  /// Starts the sessions; call when the sender runs.
  [[nodiscard]] Status begin_monitoring();
  /// Puts standby settings back; the identity stays where it is.
  void stop();

  /// Reads the maps and acts on what changed. `received`: when user space was woken.
  void refresh(MonotonicTime received);
  void link_changed(const net::LinkInfo& link, bool removed);
  /// A notification about addresses, routes, rules or neighbours, this group's or not.
  void hear(const nlmsghdr& message);
  /// Notifications were lost.
  void distrust_snapshot() {
    keeper_.mark_stale();
    uppers_unread_ = true;
  }
  /// Timers: announcements, capture, policy deadlines.
  void tick(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline(MonotonicTime now) const;

  /// A person's switch. Returns when it is carried out or refused.
  [[nodiscard]] Status switch_to(const std::string& interface);
  /// Takes the card of an idle path out of the group, and puts it or another one back, while
  /// everything runs (spec F10).
  [[nodiscard]] Status take_out(const std::string& interface);
  [[nodiscard]] Status put_back(const std::string& interface);
  /// What that switch would do now, without doing it. The error is the refusal it would get. The
  /// plan lives until the next event.
  [[nodiscard]] Result<const failover::Plan*> preview(const std::string& interface);
  /// Live parameter. The error says what is allowed.
  [[nodiscard]] Status set(const std::string& key, const std::string& value);

  [[nodiscard]] const config::GroupConfig& config() const { return config_; }
  [[nodiscard]] engine::GroupIndex index() const { return index_; }
  [[nodiscard]] const policy::GroupState& state() const { return state_; }
  [[nodiscard]] const policy::GroupRules& rules() const { return rules_; }
  [[nodiscard]] const std::vector<RunningPort>& ports() const { return ports_; }
  [[nodiscard]] std::span<const RunningPort> ports_of(std::size_t path) const;
  /// The port that carries the identity when the path does.
  [[nodiscard]] const RunningPort& lead(std::size_t path) const;
  /// The path's name for people: its interfaces.
  [[nodiscard]] std::string path_name(std::size_t path) const;
  [[nodiscard]] const net::Identity& identity() const { return keeper_.identity(); }
  /// What a switchover would leave behind, if it came now.
  [[nodiscard]] const std::vector<Upper>& uppers() const { return uppers_; }

 private:
  void load_snapshot();
  [[nodiscard]] bool may_be_missing(const std::string& interface) const;
  [[nodiscard]] static RunningPort missing_port(const std::string& interface);
  [[nodiscard]] std::optional<std::size_t> place_of_lost_identity(
      const std::vector<net::Identity>& found) const;
  [[nodiscard]] Status recover_identity();
  void save_snapshot(MonotonicTime now);
  [[nodiscard]] net::Identity without_dummy(net::Identity identity) const;
  [[nodiscard]] Status check_metaname() const;
  [[nodiscard]] Status check_dummy() const;
  [[nodiscard]] Status check_dummy_mac() const;
  /// Makes the group's name an alternative name of the active interface (spec A1).
  void take_metaname();
  [[nodiscard]] Status prepare_idle_ports();
  [[nodiscard]] Result<engine::RequestFrames> attach(std::size_t at);
  [[nodiscard]] Status find_ports(std::vector<net::Identity>& found);
  [[nodiscard]] Result<RunningPort> find_port(const config::PortConfig& config, std::size_t path,
                                              std::size_t slot);
  [[nodiscard]] std::optional<std::size_t> find_bearer(
      const std::vector<net::Identity>& found) const;
  [[nodiscard]] bool bears_kept_identity(const net::Identity& found) const;
  void choose_macs(std::size_t holder);
  [[nodiscard]] Status make_trunk(std::size_t path);
  [[nodiscard]] config::StandbyMode waiting_mode(const RunningPort& port) const;
  [[nodiscard]] std::optional<Dummy> dummy_of(const RunningPort& port) const;
  [[nodiscard]] Status listen_as_trunk(const RunningPort& port, net::PacketSocket& socket) const;
  [[nodiscard]] const RunningPort& elsewhere(const RunningPort& port) const;
  [[nodiscard]] bool alone_carries_traffic(const RunningPort& port) const;
  void weigh(RunningPort& port) const;
  void weigh_anew(RunningPort& port);
  void leave_a_lead_that_works();
  [[nodiscard]] bool hears_identity() const;
  [[nodiscard]] StandbyBefore left_alone(const RunningPort& port) const;
  void announce_anew();
  void follow_speaker();
  [[nodiscard]] net::Identity before_it_went_down(const net::Identity& found) const;
  [[nodiscard]] RunningPort& lead(std::size_t path);
  [[nodiscard]] std::span<RunningPort> ports_of(std::size_t path);
  [[nodiscard]] RunningPort& port_of(const policy::Switchover& switchover, bool to);
  [[nodiscard]] bool carries(const RunningPort& port) const {
    return &port == &lead(state_.active);
  }
  [[nodiscard]] std::size_t other_path() const { return state_.active == 0 ? 1 : 0; }
  [[nodiscard]] MonotonicTime rehash_ends(const RunningPort& port) const;
  [[nodiscard]] policy::PortState port_state(std::size_t at, MonotonicTime now);
  [[nodiscard]] bool waits_for_first_answers(const RunningPort& port, MonotonicTime now) const;
  /// A standby is "up" and the active path went silent, but the standby has not answered since:
  /// perhaps the target itself died, and the next reply or verdict will tell.
  [[nodiscard]] bool awaits_proof(std::size_t at) const;
  [[nodiscard]] Result<RunningPort*> port_called(const std::string& interface);
  [[nodiscard]] policy::ManualSwitch manual_switch(const RunningPort& port) const;
  /// A failover is on its way there, and only waits.
  [[nodiscard]] bool goes_there_anyway(const policy::ManualSwitch& wanted) const;
  void apply(const policy::Event& event, MonotonicTime received);
  void act(const policy::Action& action, MonotonicTime received);
  /// Moves the identity, at once or, while the kernel bridges, a little later.
  void begin_switchover(const policy::Switchover& switchover, MonotonicTime received);
  void perform_waiting_move();
  void perform(Move move);
  [[nodiscard]] const RunningPort& last_straw(const policy::Switchover& switchover) const;
  [[nodiscard]] bool bridges(const RunningPort& lead) const;
  [[nodiscard]] failover::SwitchoverRecord begin_record(const policy::Switchover& switchover,
                                                        MonotonicTime received) const;
  void follow_late_changes(failover::Plan& plan, const failover::Execution& done);
  void after_move(const policy::Switchover& switchover, const failover::Plan& plan,
                  failover::Outcome outcome);
  void release_needless_bridging(MonotonicTime received);
  [[nodiscard]] bool intruded(const nlmsghdr& message);
  [[nodiscard]] bool returned_to_standby(const nlmsghdr& message);
  [[nodiscard]] bool taken_meanwhile(net::Identity held);
  [[nodiscard]] bool may_repair();
  void note_what_is_let_go(const nlmsghdr& message);
  [[nodiscard]] Result<net::Identity> read_for_repair();
  [[nodiscard]] Result<net::Identity> hold_what_will_be_back();
  void restore_identity();
  void put_on_again(const net::Identity& there);
  void tell_what_is_not_back(const net::Identity& expected, const std::string& reasons);
  void expect_identity_back();
  static void expect_back(RunningPort& port);
  [[nodiscard]] static bool is_in_place_of(const net::LinkInfo& link, const RunningPort& port);
  void stranger_changed(const net::LinkInfo& link);
  void look_for_missing_ports(MonotonicTime now);
  [[nodiscard]] Status check_card(const RunningPort& port, const net::LinkInfo& link) const;
  [[nodiscard]] Status take_lock(RunningPort& port, const std::string& name);
  [[nodiscard]] Status take_back(RunningPort& port, const std::string& name);
  [[nodiscard]] Status make_standby(RunningPort& port, const net::LinkInfo& link);
  [[nodiscard]] Status give_identity_back(RunningPort& port, const net::LinkInfo& link);
  [[nodiscard]] Status bind_to(RunningPort& port, const net::Place& place);
  void begin_session(const RunningPort& port);
  void hold_judgement(RunningPort& port);
  void judge_again(MonotonicTime now);
  void finish_afterwards();
  void recapture();
  [[nodiscard]] failover::Plan plan_of(const net::Identity& identity, const RunningPort& from,
                                       const RunningPort& to) const;
  void prepare_plan();
  void announce(const failover::Plan& plan);
  void announce_again(MonotonicTime now);
  void learn_carrier(RunningPort& port);
  static void expect_negotiation(RunningPort& port);
  void hear_identity();
  void name_identity(const net::Identity& identity);
  void tell_what_is_unheard(MonotonicTime now);
  void follow_uppers(const net::LinkInfo& link, bool removed);
  void review_uppers(MonotonicTime now);
  void forget_uppers_of_absent_ports();
  /// Keeps the list of a port's VLANs.
  void follow_vlan(RunningPort& port, const net::LinkInfo& link, bool removed);
  void welcome_vlan(RunningPort& port, const net::Vlan& vlan);
  void review_vlans();
  [[nodiscard]] std::vector<Upper> lonely_vlans(const RunningPort& port) const;
  void tell_upper(const Upper& upper, const RunningPort& port);
  void tell_upper_gone(const Upper& upper, const RunningPort& port);
  [[nodiscard]] Nanoseconds proof_interval(std::size_t at) const;
  void refresh_path(std::size_t path, MonotonicTime received);
  void tell_path_changes(std::size_t path, const policy::PathState& next, MonotonicTime received);
  void flush_notices();
  void publish(std::string event, std::size_t path, std::string text);

  config::GroupConfig config_;
  engine::GroupIndex index_;
  Surroundings around_;
  policy::GroupRules rules_;
  policy::GroupState state_;
  std::vector<RunningPort> ports_;  // path by path
  IdentityKeeper keeper_;
  snapshot::SnapshotStore store_;
  std::optional<snapshot::KeptSnapshot> kept_;  // by an earlier hanetd
  std::optional<net::Identity> saved_;          // by this one
  MonotonicTime save_at_{};
  bool save_trouble_told_ = false;
  bool recovering_ = false;             // from what an earlier one kept, at the start
  bool named_ = false;                  // the metaname on the host is ours
  std::optional<Dummy> dummy_;          // warm standby
  std::uint64_t speaker_changes_ = 0;   // of the active trunk, when it was last announced
  net::PlaceSettings first_settings_;   // of the interfaces that carried the identity first
  std::optional<failover::Plan> plan_;  // to the other path
  failover::Plan preview_;
  std::optional<Move> waiting_move_;
  std::optional<Restoration> restoration_;
  std::vector<net::Part> let_go_;  // since the last reading, by those who may
  MonotonicTime repairs_since_{};
  int repairs_ = 0;                    // since then
  Nanoseconds repair_pause_ = kBurst;  // before the next one
  bool plan_outdated_ = false;
  net::MacAddress heard_mac_{};
  std::string naming_trouble_;  // as it was told last
  std::vector<net::Frame> announcements_;
  std::uint32_t announcements_left_ = 0;
  bool announced_in_vain_ = false;  // the first time: nobody could hear it
  std::vector<failover::Step> afterwards_;
  MonotonicTime afterwards_at_{};
  MonotonicTime announce_at_{};
  std::string refusal_;
  std::vector<Upper> uppers_;
  bool uppers_unread_ = true;
  MonotonicTime vlans_reviewed_from_{};  // not before
  std::vector<Notice> notices_;
};

}  // namespace hanet::group
