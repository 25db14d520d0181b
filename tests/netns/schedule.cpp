// SPDX-License-Identifier: Apache-2.0
//
// See schedule.h.
#include "netns/schedule.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>

namespace hanet::test {
namespace {

constexpr std::size_t kLeastSteps = 3;
constexpr std::size_t kMostSteps = 6;
constexpr std::size_t kLongestMomentMs = 20;

}  // namespace

const std::vector<ScheduleClass>& schedule_classes() {
  static const std::vector<ScheduleClass> classes{
      {"crossover hot", Topology::Crossover, {.mode = "hot", .group_keys = ""}, 9},
      {"crossover hot with a delay",
       Topology::Crossover,
       {.mode = "hot", .family = 6, .group_keys = "delay_ms = 50\n"},
       1},
      {"trunk hot", Topology::Trunk, {.mode = "hot", .group_keys = ""}, 4},
      {"static trunk hot", Topology::StaticTrunk, {.mode = "hot", .group_keys = ""}, 1},
      {"two-switches hot", Topology::TwoSwitches, {.mode = "hot", .group_keys = ""}, 1},
      {"switch hot", Topology::Switch, {.mode = "hot", .group_keys = ""}, 1},
      {"switch hot with failback",
       Topology::Switch,
       {.mode = "hot", .group_keys = "failback = {policy = \"always\", hold_down_ms = 100}\n"},
       1},
      {"switch cold",
       Topology::Switch,
       {.mode = "cold", .group_keys = "cold_retry_ms = 1000\n"},
       1},
      {"firewall warm",
       Topology::Firewall,
       {.mode = "warm", .group_keys = "cold_retry_ms = 1000\n"},
       1},
  };
  return classes;
}

std::size_t class_of(std::uint64_t seed) {
  const std::vector<ScheduleClass>& classes = schedule_classes();
  std::uint64_t at = seed % 20;
  for (std::size_t found = 0; found < classes.size(); ++found) {
    if (at < classes[found].share) return found;
    at -= classes[found].share;
  }
  throw std::logic_error("the shares of the classes are not 20");
}

std::string Schedule::play() {
  const std::size_t steps = kLeastSteps + pick(kMostSteps - kLeastSteps + 1);
  for (std::size_t at = 0; at < steps; ++at) {
    step();
    if (one_in(4)) {
      pause_a_moment();
      continue;
    }
    if (std::string wrong = world_.settle(); !wrong.empty()) return wrong;
  }
  note("repair everything, wake everybody");
  return world_.reset();
}

void Schedule::step() {
  const std::size_t dice = pick(100);
  if (dice < 30) return break_path(path_in_use());
  if (dice < 42) return break_path(1 - path_in_use());
  if (dice < 54) return break_both();
  if (dice < 74) return repair();
  if (dice < 84) {
    const std::size_t port = pick(world_.ports());
    note(fmt::format("switch by hand to p{}", port));
    return world_.switch_by_hand(port);
  }
  if (dice < 88) {
    const std::size_t path = pick(2);
    note(fmt::format("flap {}", kPaths[path]));
    return world_.flap(path);
  }
  disturb_daemon(dice < 92);
}

void Schedule::pause_a_moment() {
  const std::size_t moment = pick(kLongestMomentMs);
  note(fmt::format("{} ms", moment));
  std::this_thread::sleep_for(std::chrono::milliseconds(moment));
}

// On a crossover a cable can fail at one end; empty: as a whole.
std::string Schedule::some_end() {
  if (!world_.is_pair()) return {};
  const std::size_t end = pick(world_.topology() == Topology::Crossover ? 3 : 2);
  return end == 2 ? std::string() : world_.name_of(end);
}

std::string Schedule::some_kind(std::size_t path) {
  static constexpr std::array kKinds{"carrier", "blackhole", "one-way-out", "one-way-in"};
  const bool switches = world_.topology() == Topology::TwoSwitches || world_.is_trunk() ||
                        (world_.topology() == Topology::Firewall && path == 0);
  const std::size_t kind = pick(kKinds.size() + (switches ? 1 : 0));
  return kind == kKinds.size() ? "switch" : kKinds.at(kind);
}

// Every second one hits the port with the identity, if that is on this path.
std::size_t Schedule::some_port(std::size_t path) {
  const std::optional<std::size_t> lead = world_.place_of(0);
  const std::size_t any = path * world_.width() + pick(world_.width());
  return one_in(2) && lead && world_.path_of(*lead) == path ? *lead : any;
}

void Schedule::break_port(std::size_t path) {
  static constexpr std::array kKinds{"down", "carrier", "blackhole", "one-way-out", "one-way-in"};
  const std::size_t kinds = world_.topology() == Topology::StaticTrunk ? 2 : kKinds.size();
  const std::size_t port = some_port(path);
  const std::string kind = kKinds.at(pick(kinds));
  note(fmt::format("{} p{}", kind, port));
  if (kind == "down")
    world_.take_down(port);
  else
    world_.fault_port(kind, port);
}

void Schedule::break_path(std::size_t path) {
  if (world_.is_trunk() && !one_in(4)) {
    break_port(path);
    if (!one_in(3)) return;
    pause_a_moment();
    return break_port(path);
  }
  const std::string kind = some_kind(path);
  const std::string end = some_end();
  note(fmt::format("{} {}{}{}", kind, kPaths.at(path), end.empty() ? "" : " at ", end));
  world_.fault(kind, path, end);
}

void Schedule::break_both() {
  const std::size_t first = pick(2);
  const std::size_t way = world_.topology() == Topology::Crossover ? pick(3) : 0;
  if (way == 1) {
    note("the power of one end");
    return world_.fault_all();
  }
  if (way == 2) return break_both_ends(first);
  break_path(first);
  pause_a_moment();
  break_path(1 - first);
}

// One cable, at one end and a moment later at the other.
void Schedule::break_both_ends(std::size_t path) {
  const std::size_t first = pick(2);
  for (const std::size_t end : {first, 1 - first}) {
    const std::string kind = some_kind(path);
    note(fmt::format("{} {} at {}", kind, kPaths.at(path), world_.name_of(end)));
    world_.fault(kind, path, world_.name_of(end));
    if (end == first) pause_a_moment();
  }
}

void Schedule::repair() {
  if (world_.broken(0) && world_.broken(1) && one_in(2)) {
    note("repair both paths");
    return world_.heal_all();
  }
  const std::size_t path = world_.broken(0) == world_.broken(1) ? pick(2) : world_.broken(1);
  if (world_.is_trunk() && !world_.only_as_a_whole(path) && !one_in(3)) return repair_port(path);
  note(fmt::format("repair {}", kPaths.at(path)));
  world_.heal(path);
}

// One that does not work, if there is one.
void Schedule::repair_port(std::size_t path) {
  std::size_t port = path * world_.width() + pick(world_.width());
  for (std::size_t tried = 1; world_.works(port) && tried < world_.width(); ++tried)
    port = path * world_.width() + (port + 1) % world_.width();
  note(fmt::format("repair p{}", port));
  world_.heal_port(port);
}

// A daemon is away while something happens, and comes back to what is there then.
void Schedule::disturb_daemon(bool killed) {
  const std::size_t node = pick(world_.nodes());
  note(fmt::format("{} hanetd on {}", killed ? "kill" : "freeze", world_.name_of(node)));
  if (killed)
    world_.kill(node);
  else
    world_.freeze(node);
  if (one_in(2)) break_path(path_in_use());
  pause_a_moment();
  if (one_in(4)) repair();
  note(fmt::format("{} hanetd on {}", killed ? "start" : "thaw", world_.name_of(node)));
  world_.wake(node);
}

}  // namespace hanet::test
