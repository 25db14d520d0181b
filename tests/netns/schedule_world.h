// SPDX-License-Identifier: Apache-2.0
//
// The world that a random fault schedule is played in: a lab, its daemons, what is broken, and what
// must hold.
//
// What must hold is judged from outside. An observer of each node hears every rtnetlink message:
// never are two interfaces up with one address or one MAC. When a step has come to rest, the
// identity is whole on exactly one interface, field by field and with every route, and if a path
// works it is on such a path; on a crossover both ends are on the same. Which paths work is known
// from what the schedule broke, never from hanet.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "netns/hanet.h"
#include "netns/lab.h"
#include "netns/observer.h"

namespace hanet::test {

inline constexpr std::array<const char*, 2> kPorts{"p0", "p1"};
inline constexpr std::array<const char*, 2> kPaths{"primary", "standby"};

class World {
 public:
  /// Builds the lab and waits until every daemon is ready. Throws when it can not.
  World(Topology topology, const Settings& settings);

  [[nodiscard]] Topology topology() const { return lab_->topology(); }
  [[nodiscard]] bool is_pair() const { return nodes_.size() == 2; }
  [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
  [[nodiscard]] const std::string& name_of(std::size_t node) const;
  [[nodiscard]] bool broken(std::size_t path) const { return broken_.at(path); }
  [[nodiscard]] bool watched(std::size_t node) const { return nodes_.at(node).at_work; }
  /// Where a node's identity is, as its observer sees it; empty while it moves.
  [[nodiscard]] std::optional<std::size_t> place_of(std::size_t node);

  // What a step does. A command that fails throws.
  void fault(const std::string& kind, std::size_t path, const std::string& node);
  void fault_all();
  void flap(std::size_t path);
  void heal(std::size_t path);
  void heal_all();
  void kill(std::size_t node);
  void freeze(std::size_t node);
  /// A frozen daemon goes on, a killed one is started and awaited.
  void wake(std::size_t node);
  /// On every node that is at work, one after the other. A refusal is an answer.
  void switch_by_hand(std::size_t path);

  /// Waits until everything that must hold does; else what does not, in words.
  [[nodiscard]] std::string settle();
  /// Heals and wakes everything, settles, and goes back to the primary: the next schedule's start.
  [[nodiscard]] std::string reset();
  /// What the daemons wrote and answer, for a report.
  [[nodiscard]] std::string account();

 private:
  struct Node {
    std::unique_ptr<Hanet> daemon;
    std::unique_ptr<Observer> observer;
    net::Identity identity;
    std::set<std::string> addresses;
    bool at_work = true;  ///< its daemon runs and is not frozen
    bool killed = false;
  };
  [[nodiscard]] std::string wrong_at(std::size_t node);
  [[nodiscard]] std::string wrong_now();
  [[nodiscard]] bool all_ready();

  std::unique_ptr<Lab> lab_;
  std::vector<Node> nodes_;
  std::array<bool, 2> broken_{};
};

}  // namespace hanet::test
