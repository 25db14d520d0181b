// SPDX-License-Identifier: Apache-2.0
//
// A random fault schedule: a seed is a topology and some steps, always the same ones.
//
// A step is something that happens to a network or its people: a fault on the path in use or on the
// one that waits, in one direction or both, at one end or both; a repair; both paths at once or a
// moment apart; a switch by hand; a flap; a daemon that is killed or stands still while something
// fails. On trunks most faults hit single ports, often the lead, and some are the host's own: an
// interface is taken down. A quarter of the steps do not wait for the one before, so that faults
// meet switchovers.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "netns/schedule_world.h"

namespace hanet::test {

/// Schedules of one class can be played in one lab, one after the other.
struct ScheduleClass {
  const char* name;
  Topology topology;
  Settings settings;
  unsigned share;  ///< of 20 seeds in a row
};

[[nodiscard]] const std::vector<ScheduleClass>& schedule_classes();
[[nodiscard]] std::size_t class_of(std::uint64_t seed);

class Schedule {
 public:
  Schedule(std::uint64_t seed, World& world) : random_(seed), world_(world) {}

  /// Plays it; empty, or what did not hold.
  [[nodiscard]] std::string play();
  /// What was done, a line each.
  [[nodiscard]] const std::vector<std::string>& steps() const { return steps_; }

 private:
  void step();
  void note(std::string what) { steps_.push_back(std::move(what)); }
  void break_path(std::size_t path);
  void break_port(std::size_t path);
  void break_both();
  void break_both_ends(std::size_t path);
  void repair();
  void repair_port(std::size_t path);
  void disturb_daemon(bool killed);
  void pause_a_moment();
  [[nodiscard]] std::string some_end();
  [[nodiscard]] std::string some_kind(std::size_t path);
  [[nodiscard]] std::size_t some_port(std::size_t path);
  [[nodiscard]] std::size_t path_in_use() { return world_.path_of(world_.place_of(0).value_or(0)); }
  // std::uniform_int_distribution gives other numbers in another library: a seed is a schedule.
  [[nodiscard]] std::size_t pick(std::size_t below) { return random_() % below; }
  [[nodiscard]] bool one_in(std::size_t n) { return pick(n) == 0; }

  std::mt19937_64 random_;
  World& world_;
  std::vector<std::string> steps_;
};

}  // namespace hanet::test
