// SPDX-License-Identifier: Apache-2.0
//
// What holds after every event of any history (F11, F12, M6, O4).
//
// Thousands of random histories are played through the policy and every promise of group.h is
// checked after each step, against rules that are written anew here. A failure prints the seed, the
// step and the event; HANET_SEED=<n> plays that one history again. Half of the histories have
// trunks.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <vector>

#include "policy/agreement.h"
#include "policy/group.h"

namespace hanet::policy {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kFirstSeed = 20240501;
constexpr int kHistories = 4000;
constexpr int kSteps = 120;

/// What the ports of a path are worth, counted anew.
struct Worth {
  std::uint32_t total = 0;
  std::uint32_t lost = 0;
  std::uint32_t proved = 0;
};

bool lost(const PathState& path, const PortState& port) {
  if (!port.present) return true;
  return path.watched &&
         (!port.admin_up || port.carrier == false || port.session == SessionState::Down);
}

Worth worth(const PathState& path) {
  Worth sum;
  for (const PortState& port : path.ports) {
    sum.total += port.weight;
    if (lost(path, port))
      sum.lost += port.weight;
    else if (path.watched && port.session == SessionState::Up)
      sum.proved += port.weight;
  }
  return sum;
}

/// The specification's words (T2): so much or more of the connections failed.
bool too_much(const PathState& path, std::uint32_t lost) {
  return static_cast<double>(lost) >= worth(path).total * path.threshold_percent / 100.0;
}

bool known_down(const PathState& path) { return too_much(path, worth(path).lost); }

/// Usable as the specification says it: proved up, or a cold path that is there and did not fail
/// lately.
bool usable(const PathState& path, MonotonicTime now, const GroupRules& rules) {
  if (now < path.avoid_until || known_down(path)) return false;
  if (!path.watched) return rules.cold;
  return !too_much(path, worth(path).total - worth(path).proved);
}

/// A trunk of which something works, where nothing else does.
bool better_than_nothing(const PathState& path, MonotonicTime now) {
  return now >= path.avoid_until && worth(path).proved > 0;
}

bool holds(const PathState& path, std::size_t port) {
  return path.ports[port].present && (path.ports[port].admin_up || !path.watched);
}

/// What the first port that works and hears anything hears.
PeerClaim peer_on(const PathState& path) {
  for (const PortState& port : path.ports)
    if (path.watched && !lost(path, port) && port.session == SessionState::Up &&
        port.peer != PeerClaim::Unknown)
      return port.peer;
  return PeerClaim::Unknown;
}

Cause expected_cause(const PortState& port) {
  if (!port.present) return Cause::InterfaceGone;
  if (!port.admin_up) return Cause::AdminDown;
  return port.carrier == false ? Cause::CarrierLost : Cause::HeartbeatLost;
}

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {
    rules_.cold = one_in(2);
    rules_.failback = static_cast<Failback>(pick(4));
    const std::size_t paths = 2 + pick(3);
    std::vector<std::size_t> ports(paths, 1);
    if (one_in(2))
      for (std::size_t& count : ports) count = 1 + pick(4);
    state_ = initial_state(ports, pick(paths), rules_);
    alarms_.resize(paths, false);
  }

  void step() {
    if (one_in(3)) now_ += std::chrono::milliseconds(pick(4000));
    const Event event = next_event();
    before_ = state_;
    moved_ = std::holds_alternative<IdentityMoved>(event) ||
             (moved_ && !std::holds_alternative<SwitchoverEnded>(event));
    Decision decision = decide(state_, event, now_, rules_);
    state_ = std::move(decision.state);
    what_ = describe(event);
    check_shape();
    for (const Action& action : decision.actions)
      std::visit([&](const auto& one) { check(one, event); }, action);
    check_a_start_is_announced(decision.actions);
    if (moved_ && !std::holds_alternative<IdentityMoved>(event)) {
      EXPECT_TRUE(decision.actions.empty()) << what_ << ": between two roles";
    }
    check_rest();
    check_nothing_is_overdue(event);
  }

  [[nodiscard]] const std::string& what() const { return what_; }
  [[nodiscard]] int switchovers() const { return switchovers_; }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  bool one_in(std::size_t n) { return pick(n) == 0; }

  PortState random_port() {
    PortState port;
    port.present = !one_in(12);
    port.admin_up = !one_in(8);
    if (!one_in(3)) port.carrier = !one_in(4);
    port.session = static_cast<SessionState>(pick(4));
    if (one_in(2)) port.session = SessionState::Up;
    port.peer = static_cast<PeerClaim>(pick(4));
    return port;
  }

  PathChanged random_change() {
    PathChanged event{.path = pick(state_.paths.size()), .ports = {}};
    event.ports = state_.paths[event.path].ports;
    for (PortState& port : event.ports)
      if (event.ports.size() == 1 || one_in(2)) {
        port = random_port();
        port.weight =
            event.path == 0 && event.ports.size() > 1 ? 1 + static_cast<unsigned>(pick(3)) : 1;
      }
    return event;
  }

  /// News may come before it has ended.
  Event while_it_ends() {
    switch (pick(10)) {
      case 4:
        return SwitchoverWaits{.until = now_ + std::chrono::milliseconds(pick(200))};
      case 5:
        return ThresholdChanged{.percent = static_cast<std::uint32_t>(1 + pick(100))};
      case 0:
        return WaitingEnds{};
      case 1:
        return TimePassed{};
      case 2:
        return EnabledChanged{.enabled = !one_in(3)};
      case 3:
        return random_change();
      default:
        return SwitchoverEnded{.moved = true};
    }
  }

  Event next_event() {
    // What carries out a switchover that has moved the identity ends it as moved.
    if (moved_) return while_it_ends();
    switch (pick(12)) {
      case 11:
        return WaitingEnds{};
      case 10:
        if (state_.running && !state_.waits_until) return IdentityMoved{};
        return TimePassed{};
      case 9:
        return ThresholdChanged{.percent = static_cast<std::uint32_t>(1 + pick(100))};
      case 8:
        return SwitchoverWaits{.until = now_ + std::chrono::milliseconds(pick(200))};
      case 0: {
        ManualSwitch event{.to = pick(state_.paths.size() + 1)};
        if (event.to < state_.paths.size() && one_in(2))
          event.port = pick(state_.paths[event.to].ports.size());
        return event;
      }
      case 1:
      case 2:
        return SwitchoverEnded{.moved = !one_in(4), .attempted = !one_in(4)};
      case 3:
        return EnabledChanged{.enabled = !one_in(3)};
      case 4:
        return TimePassed{};
      default:
        return random_change();
    }
  }

  void check_shape() {
    ASSERT_EQ(state_.paths.size(), before_.paths.size()) << what_;
    ASSERT_LT(state_.active, state_.paths.size()) << what_;
    ASSERT_EQ(state_.standby_alarm.size(), state_.paths.size()) << what_;
    EXPECT_TRUE(state_.running || !state_.waits_until.has_value()) << what_;
    if (state_.waits_until && state_.running) {
      EXPECT_TRUE(state_.enabled) << what_;
      const PathState& to = state_.paths[state_.running->to];
      EXPECT_TRUE(!known_down(to) || worth(to).proved > 0) << what_;
      EXPECT_TRUE(!is_failure(state_.running->cause) ||
                  state_.running->from == state_.running->to ||
                  known_down(state_.paths[state_.running->from]))
          << what_;
    }
    if (state_.running) {
      EXPECT_EQ(moved_ ? state_.running->to : state_.running->from, state_.active) << what_;
      EXPECT_LT(state_.running->to, state_.paths.size()) << what_;
      EXPECT_TRUE(state_.running->to != state_.running->from ||
                  state_.running->to_port != state_.running->from_port)
          << what_;
      EXPECT_EQ(moved_ ? state_.running->to_port : state_.running->from_port,
                state_.paths[state_.active].lead)
          << what_;
    }
  }

  void check(const StartSwitchover& start, const Event& event) {
    ++switchovers_;
    const Switchover& it = start.switchover;
    EXPECT_EQ(state_.running, it) << what_;
    const bool ends_one = std::holds_alternative<SwitchoverEnded>(event) ||
                          before_.waits_until.has_value() ||
                          std::holds_alternative<SwitchoverWaits>(event);
    EXPECT_TRUE(!before_.running || ends_one) << what_ << ": one was running";
    ASSERT_LT(it.to, state_.paths.size()) << what_;
    if (it.to == it.from) return check_lead(it, event);
    // A person may choose a path that is only avoided; nobody may choose one that is known down.
    const bool manual_switch = it.cause == Cause::Manual;
    const MonotonicTime asked = manual_switch ? MonotonicTime::max() : now_;
    const bool stranded = worth(state_.paths[it.from]).proved == 0;
    EXPECT_TRUE(usable(state_.paths[it.to], asked, rules_) ||
                (stranded && !manual_switch && better_than_nothing(state_.paths[it.to], now_)))
        << what_ << ": to a path that is not";
    if (manual_switch) {
      const auto* manual = std::get_if<ManualSwitch>(&event);
      ASSERT_NE(manual, nullptr) << what_ << ": nobody asked";
      EXPECT_EQ(it.to, manual->to) << what_;
      return;
    }
    EXPECT_TRUE(state_.enabled) << what_ << ": the group is disabled";
    if (it.cause == Cause::Failback) {
      const PathState& primary = state_.paths[0];
      EXPECT_TRUE(rules_.failback == Failback::Always ||
                  (rules_.failback == Failback::Better &&
                   worth(primary).proved > worth(state_.paths[it.from]).proved))
          << what_;
      EXPECT_EQ(it.to, 0U) << what_;
      EXPECT_FALSE(state_.failback_held) << what_ << ": a person moved it away";
      EXPECT_GE(now_, primary.up_since + rules_.hold_down) << what_ << ": too early";
      EXPECT_FALSE(primary.damping.suppressed(now_, rules_.damping_half_life)) << what_;
      return;
    }
    if (it.cause == Cause::PeerElsewhere) return check_meeting(it);
    EXPECT_TRUE(known_down(state_.paths[it.from])) << what_ << ": the active path is not down";
    const auto* enabled = std::get_if<EnabledChanged>(&event);
    if (enabled != nullptr && !before_.enabled) {
      EXPECT_EQ(it.cause, Cause::GroupEnabled) << what_ << ": no path failed now";
    } else if (state_.paths[it.from].ports.size() == 1) {
      EXPECT_EQ(it.cause, expected_cause(state_.paths[it.from].ports.front())) << what_;
    }
  }

  // Within a trunk the identity moves only off an interface that can not carry it, or by hand.
  void check_lead(const Switchover& it, const Event& event) {
    const PathState& path = state_.paths[it.to];
    EXPECT_TRUE(holds(path, it.to_port)) << what_;
    if (it.cause == Cause::Manual) {
      EXPECT_TRUE(std::holds_alternative<ManualSwitch>(event)) << what_;
      return;
    }
    EXPECT_TRUE(state_.enabled) << what_;
    EXPECT_FALSE(holds(path, it.from_port)) << what_;
  }

  void check_meeting(const Switchover& it) {
    const PeerClaim there = peer_on(state_.paths[it.to]);
    EXPECT_TRUE(usable(state_.paths[it.from], now_, rules_))
        << what_ << ": a failure, not a meeting";
    EXPECT_EQ(peer_on(state_.paths[it.from]), PeerClaim::Elsewhere) << what_;
    EXPECT_TRUE(there == PeerClaim::Here || there == PeerClaim::HereByHand)
        << what_ << ": nobody is there";
    EXPECT_TRUE(it.to < it.from || there == PeerClaim::HereByHand)
        << what_ << ": the other end comes";
    ASSERT_TRUE(before_.apart_since) << what_ << ": not apart before";
    EXPECT_GE(now_, *before_.apart_since + kApart) << what_ << ": too early";
  }

  void check(const AbandonSwitchover& abandon, const Event& event) {
    EXPECT_TRUE(before_.waits_until.has_value() || std::holds_alternative<SwitchoverWaits>(event))
        << what_ << ": it had begun";
    EXPECT_EQ(abandon.switchover, before_.running) << what_;
    EXPECT_TRUE(!state_.enabled || known_down(state_.paths[abandon.switchover.to]) ||
                !known_down(state_.paths[abandon.switchover.from]))
        << what_ << ": given up for no reason";
  }

  void check(const CarryOutSwitchover& carry, const Event& event) {
    EXPECT_EQ(carry.switchover, state_.running) << what_;
    EXPECT_FALSE(state_.waits_until.has_value()) << what_ << ": it waits no more";
    const bool was_due = before_.waits_until && now_ >= *before_.waits_until;
    EXPECT_TRUE(was_due || std::holds_alternative<SwitchoverWaits>(event) ||
                std::holds_alternative<WaitingEnds>(event) ||
                std::holds_alternative<ManualSwitch>(event))
        << what_ << ": too early";
  }
  void check(const FinishSwitchover& finish, const Event& event) {
    EXPECT_TRUE(std::holds_alternative<IdentityMoved>(event)) << what_;
    EXPECT_EQ(finish.switchover, state_.running) << what_;
  }
  void check(const RaiseAlarm& alarm, const Event&) { turn(alarm.path, alarm.no_path, true); }
  void check(const ClearAlarm& alarm, const Event&) { turn(alarm.path, alarm.no_path, false); }
  void check(const Refuse& refuse, const Event& event) {
    EXPECT_TRUE(std::holds_alternative<ManualSwitch>(event)) << what_;
    EXPECT_FALSE(refuse.reason.empty()) << what_;
  }

  void turn(std::size_t path, bool no_path, bool raised) {
    if (no_path) {
      EXPECT_NE(no_path_alarm_, raised) << what_ << ": alarms alternate";
      no_path_alarm_ = raised;
    } else {
      ASSERT_LT(path, alarms_.size()) << what_;
      EXPECT_NE(alarms_[path], raised) << what_ << ": alarms alternate";
      alarms_[path] = raised;
    }
  }

  void check_a_start_is_announced(const std::vector<Action>& actions) {
    int started = 0;
    for (const Action& action : actions)
      started += std::holds_alternative<StartSwitchover>(action) ? 1 : 0;
    EXPECT_LE(started, 1) << what_;
    if (state_.running && state_.running != before_.running) {
      EXPECT_EQ(started, 1) << what_;
    }
  }

  void check_rest() {
    const bool down = known_down(state_.paths[state_.active]);
    if (moved_) return;  // said when the switchover has ended
    if (state_.running) {
      EXPECT_EQ(no_path_alarm_, before_.no_path_alarm) << what_ << ": it has come to nothing yet";
    } else {
      EXPECT_EQ(no_path_alarm_, down) << what_ << ": the alarm and the state";
    }
    for (std::size_t at = 0; at < state_.paths.size(); ++at)
      EXPECT_EQ(alarms_[at], at != state_.active && known_down(state_.paths[at])) << what_;
    if (!state_.enabled || state_.running) return;
    const PathState& active = state_.paths[state_.active];
    for (std::size_t at = 0; at < active.ports.size(); ++at)
      EXPECT_TRUE(holds(active, active.lead) || !holds(active, at) || now_ < active.keep_lead_until)
          << what_ << ": the identity stays on an interface that is not up";
    if (!down) return;
    for (std::size_t at = 0; at < state_.paths.size(); ++at)
      if (at != state_.active) {
        EXPECT_FALSE(usable(state_.paths[at], now_, rules_) ||
                     (worth(active).proved == 0 && better_than_nothing(state_.paths[at], now_)))
            << what_ << ": stays on a dead path although path " << at << " is usable";
      }
  }

  void check_nothing_is_overdue(const Event& event) {
    if (!std::holds_alternative<TimePassed>(event) || moved_) return;
    EXPECT_FALSE(state_.waits_until && now_ >= *state_.waits_until) << what_ << ": it waits on";
    if (!state_.enabled || state_.running) return;
    EXPECT_FALSE(state_.apart_since && now_ >= *state_.apart_since + kApart)
        << what_ << ": the ends stay apart";
    const PathState& primary = state_.paths[0];
    const bool returns = rules_.failback == Failback::Always && !rules_.cold &&
                         state_.active != 0 && !state_.failback_held &&
                         usable(primary, now_, rules_) &&
                         now_ >= primary.up_since + rules_.hold_down &&
                         !primary.damping.suppressed(now_, rules_.damping_half_life);
    EXPECT_FALSE(returns) << what_ << ": the primary is given nothing back";
  }

  std::string describe(const Event& event) const {
    return fmt::format("{} paths, {}, active {}, event {}", state_.paths.size(),
                       rules_.cold ? "cold" : "hot", before_.active, event.index());
  }

  std::mt19937_64 random_;
  GroupRules rules_;
  GroupState state_;
  GroupState before_;
  std::vector<bool> alarms_;
  bool no_path_alarm_ = false;
  bool moved_ = false;  // the identity, by the switchover that runs
  MonotonicTime now_{1h};
  std::string what_;
  int switchovers_ = 0;
};

int play(std::uint64_t seed) {
  History history(seed);
  for (int step = 0; step < kSteps; ++step) {
    history.step();
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "HANET_SEED=" << seed << ", step " << step << ": " << history.what();
      break;
    }
  }
  return history.switchovers();
}

TEST(GroupHistories, F11_F12_KeepEveryPromiseAfterEveryEvent) {
  if (const char* seed = std::getenv("HANET_SEED")) {
    play(std::strtoull(seed, nullptr, 10));
    return;
  }
  fmt::print("{} histories from seed {}\n", kHistories, kFirstSeed);
  int switchovers = 0;
  for (int history = 0; history < kHistories && !HasFailure(); ++history)
    switchovers += play(kFirstSeed + static_cast<std::uint64_t>(history));
  EXPECT_GT(switchovers, kHistories * 2) << "the histories are too dull to prove anything";
}

}  // namespace
}  // namespace hanet::policy
