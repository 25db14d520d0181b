// SPDX-License-Identifier: Apache-2.0
//
// The world that a random fault schedule is played in: a lab, its daemons, what is broken, and what
// must hold.
//
// What must hold is judged from outside. An observer of each node hears every rtnetlink message:
// never are two interfaces up with one address or one MAC. When a step has come to rest, the
// identity is whole on exactly one interface, field by field and with every route, and if a path
// works it is on such a path; on a crossover both ends are on the same. A trunk works while more
// than half of its ports do; if none works so well, any port is better than none, and what is on a
// trunk with a port that works is reached from outside. What works is known from what the schedule
// broke, never from hanet.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "netns/echo.h"
#include "netns/hanet.h"
#include "netns/lab.h"
#include "netns/observer.h"
#include "netns/seen_identity.h"

namespace hanet::test {

inline constexpr std::array<const char*, 2> kPaths{"primary", "standby"};

class World {
 public:
  /// Builds the lab and waits until every daemon is ready. Throws when it can not.
  World(Topology topology, const Settings& settings);

  [[nodiscard]] Topology topology() const { return lab_->topology(); }
  [[nodiscard]] bool is_pair() const { return nodes_.size() == 2; }
  [[nodiscard]] bool is_trunk() const { return width_ > 1; }
  [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
  [[nodiscard]] const std::string& name_of(std::size_t node) const;
  /// Ports are p0, p1 ..., first those of the primary path; so many to a path.
  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] std::size_t ports() const { return ports_.size(); }
  [[nodiscard]] std::size_t path_of(std::size_t port) const { return port / width_; }
  /// Nothing is wrong with a port, its cable or its switch.
  [[nodiscard]] bool works(std::size_t port) const;
  /// Too few of its ports work: one of one, two of four.
  [[nodiscard]] bool broken(std::size_t path) const;
  /// A switch that aggregates goes on sending by ports that are lost without a word, so there only
  /// a whole path may be in that state, and its ports are not repaired one by one.
  [[nodiscard]] bool only_as_a_whole(std::size_t path) const;
  /// The port with a node's identity, as its observer sees it; empty while it moves.
  [[nodiscard]] std::optional<std::size_t> place_of(std::size_t node);

  // What a step does. A command that fails throws.
  void fault(const std::string& kind, std::size_t path, const std::string& node);
  void fault_all();
  void fault_port(const std::string& kind, std::size_t port);
  /// `ip link set PORT down` on the host.
  void take_down(std::size_t port);
  void flap(std::size_t path);
  /// Whatever was done to it: the network's fault and what the host did.
  void heal(std::size_t path);
  void heal_port(std::size_t port);
  void heal_all();
  void kill(std::size_t node);
  void freeze(std::size_t node);
  /// A frozen daemon goes on, a killed one is started and awaited.
  void wake(std::size_t node);
  /// On every node that is at work, one after the other. A refusal is an answer.
  void switch_by_hand(std::size_t port);

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
    SeenIdentity identity;
    std::set<std::string> addresses;
    bool at_work = true;  ///< its daemon runs and is not frozen
    bool killed = false;
  };
  struct Port {
    bool cut = false;         ///< its cable, in one direction at least
    bool taken_down = false;  ///< the host's interface
  };
  struct Path {
    bool switch_dead = false;
    bool silent = false;  ///< cut as a whole, and no carrier says so
  };
  void mark(std::size_t path, bool cut, const std::string& kind = {});
  void bring_up(std::size_t port);
  [[nodiscard]] bool some_port_works(std::size_t path) const;
  [[nodiscard]] std::string wrong_place(std::size_t place) const;
  [[nodiscard]] std::string wrong_at(std::size_t node);
  [[nodiscard]] std::string wrong_now();
  [[nodiscard]] std::string unreachable();
  [[nodiscard]] bool all_ready();

  std::unique_ptr<Lab> lab_;
  std::vector<Node> nodes_;
  std::unique_ptr<Echo> echo_;
  std::size_t width_ = 1;
  std::vector<Port> ports_;
  std::array<Path, kPaths.size()> paths_{};
};

}  // namespace hanet::test
