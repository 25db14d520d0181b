// SPDX-License-Identifier: Apache-2.0
//
// See schedule_world.h.
#include "netns/schedule_world.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <stdexcept>

#include "netns/await.h"
#include "netns/inside.h"

namespace hanet::test {
namespace {

void must(const Status& done) {
  if (!done) throw std::runtime_error(done.error().message);
}

void must(const testing::AssertionResult& come) {
  if (!come) throw std::runtime_error(come.message());
}

constexpr std::size_t kTrunkWidth = 4;
constexpr std::size_t kThresholdPercent = 50;  // what Settings has

std::string name_of_port(std::size_t port) { return fmt::format("p{}", port); }

bool has_trunks(Topology topology) {
  return topology == Topology::Trunk || topology == Topology::StaticTrunk;
}

}  // namespace

World::World(Topology topology, const Settings& settings)
    : width_(has_trunks(topology) ? kTrunkWidth : 1), ports_(kPaths.size() * width_) {
  Result<std::unique_ptr<Lab>> lab = Lab::up(topology);
  if (!lab) throw std::runtime_error(lab.error().message);
  lab_ = std::move(*lab);
  for (const std::string& name : lab_->hanet_nodes()) {
    const Result<std::string> config = lab_->config(name, settings);
    if (!config) throw std::runtime_error(config.error().message);
    Node& node = nodes_.emplace_back();
    node.daemon = std::make_unique<Hanet>(*lab_, name, *config);
    node.identity = identity_on(lab_->netns(name), name_of_port(0));
    node.observer = std::make_unique<Observer>(lab_->netns(name));
    // F6: where a standby is warm no interface may appear.
    if (topology != Topology::Firewall) node.observer->expect_the_pacer();
    node.addresses = node.observer->addresses_of(name_of_port(0));
    node.daemon->start();
  }
  must(await("every daemon is ready", [&] { return all_ready(); }));
  if (is_trunk()) echo_ = std::make_unique<Echo>(*lab_);
}

const std::string& World::name_of(std::size_t node) const { return nodes_.at(node).daemon->node(); }

bool World::all_ready() {
  return std::ranges::all_of(nodes_, [](const Node& node) { return node.daemon->ready(); });
}

std::optional<std::size_t> World::place_of(std::size_t node) {
  Node& at = nodes_.at(node);
  std::optional<std::size_t> place;
  for (std::size_t port = 0; port < ports(); ++port) {
    const std::set<std::string> there = at.observer->addresses_of(name_of_port(port));
    if (!std::ranges::includes(there, at.addresses)) continue;
    if (place) return std::nullopt;
    place = port;
  }
  return place;
}

bool World::works(std::size_t port) const {
  const Port& at = ports_.at(port);
  return !at.cut && !at.taken_down && !paths_.at(path_of(port)).switch_dead;
}

bool World::broken(std::size_t path) const {
  std::size_t lost = 0;
  for (std::size_t port = path * width_; port < (path + 1) * width_; ++port) lost += !works(port);
  return lost * 100 >= kThresholdPercent * width_;
}

bool World::some_port_works(std::size_t path) const {
  for (std::size_t port = path * width_; port < (path + 1) * width_; ++port)
    if (works(port)) return true;
  return false;
}

bool World::only_as_a_whole(std::size_t path) const {
  return topology() == Topology::StaticTrunk && paths_.at(path).silent;
}

// --- what a step does ----------------------------------------------------------------------------

void World::mark(std::size_t path, bool cut, const std::string& kind) {
  for (std::size_t port = path * width_; port < (path + 1) * width_; ++port) ports_[port].cut = cut;
  Path& at = paths_.at(path);
  at.switch_dead = cut && (at.switch_dead || kind == "switch");
  at.silent = cut && (at.silent || (kind != "switch" && kind != "carrier"));
}

void World::fault(const std::string& kind, std::size_t path, const std::string& node) {
  Arguments more;
  if (!node.empty()) more = {"--node", node};
  must(lab_->fault(kind, kPaths.at(path), more));
  mark(path, true, kind);
}

void World::fault_all() {
  must(lab_->fault("carrier", "all"));
  for (std::size_t path = 0; path < kPaths.size(); ++path) mark(path, true, "carrier");
}

void World::fault_port(const std::string& kind, std::size_t port) {
  must(lab_->fault(kind, name_of_port(port)));
  ports_.at(port).cut = true;
}

void World::take_down(std::size_t port) {
  must(lab_->link("down", name_of_port(port)));
  ports_.at(port).taken_down = true;
}

void World::bring_up(std::size_t port) {
  if (!ports_.at(port).taken_down) return;
  must(lab_->link("up", name_of_port(port)));
  ports_.at(port).taken_down = false;
}

void World::flap(std::size_t path) {
  must(lab_->fault("flap", kPaths.at(path), {"--times", "2", "--period-ms", "40"}));
  heal(path);  // of what was broken before, too: a flap ends with a cable that works
}

void World::heal(std::size_t path) {
  for (std::size_t port = path * width_; port < (path + 1) * width_; ++port) bring_up(port);
  must(lab_->heal(kPaths.at(path)));
  mark(path, false);
}

void World::heal_port(std::size_t port) {
  bring_up(port);
  must(lab_->heal(name_of_port(port)));
  ports_.at(port).cut = false;
}

void World::heal_all() {
  for (std::size_t port = 0; port < ports(); ++port) bring_up(port);
  must(lab_->heal());
  for (std::size_t path = 0; path < kPaths.size(); ++path) mark(path, false);
}

void World::kill(std::size_t node) {
  Node& at = nodes_.at(node);
  if (!at.at_work) return;
  at.daemon->kill();
  at.at_work = false;
  at.killed = true;
}

void World::freeze(std::size_t node) {
  Node& at = nodes_.at(node);
  if (!at.at_work) return;
  at.daemon->freeze();
  must(await(name_of(node) + " stands still", [&] { return at.daemon->frozen(); }));
  at.at_work = false;
}

void World::wake(std::size_t node) {
  Node& at = nodes_.at(node);
  if (at.at_work) return;
  if (at.killed) {
    at.daemon->start();
    must(await("hanetd on " + name_of(node) + " answers after a kill",
               [&] { return at.daemon->ask({"status"}).is_object(); }));
    // A hot path is up: a start sets its interfaces up, also one that a person had taken down.
    for (std::size_t port = 0; port < ports(); ++port)
      ports_[port].taken_down &= !link_of(lab_->netns(name_of(node)), name_of_port(port)).admin_up;
  } else {
    at.daemon->thaw();
  }
  at.at_work = true;
  at.killed = false;
}

void World::switch_by_hand(std::size_t port) {
  for (const Node& node : nodes_)
    if (node.at_work) [[maybe_unused]]
      const auto answer = node.daemon->ctl({"switch", "mether0", "--to", name_of_port(port)});
}

// --- what must hold ------------------------------------------------------------------------------

std::string World::wrong_place(std::size_t place) const {
  const std::size_t path = path_of(place);
  const std::size_t other = 1 - path;
  if (broken(path) && !broken(other))
    return fmt::format("the identity is on {}, whose path is broken, and the {} works",
                       name_of_port(place), kPaths.at(other));
  if (!some_port_works(path) && some_port_works(other))
    return fmt::format("the identity is on {}, no port of whose path works, and one of the {} does",
                       name_of_port(place), kPaths.at(other));
  if (ports_.at(place).taken_down && some_port_works(path))
    return fmt::format("the identity is on {}, which is down, and another port of its trunk works",
                       name_of_port(place));
  return {};
}

// What goes down with an interface nobody can hold: that is nobody's loss while nothing works.
std::string World::wrong_at(std::size_t node) {
  Node& at = nodes_.at(node);
  const std::string& name = name_of(node);
  const bool held_down =
      !some_port_works(0) && !some_port_works(1) &&
      std::ranges::any_of(ports_, [](const Port& port) { return port.taken_down; });
  if (held_down) return {};
  const std::optional<std::size_t> place = place_of(node);
  if (!place) return name + ": the identity is not on exactly one interface";
  if (at.at_work)
    if (const std::string wrong = wrong_place(*place); !wrong.empty()) return name + ": " + wrong;
  const std::vector<std::string> changed =
      differences(at.identity, identity_on(lab_->netns(name), name_of_port(*place)));
  if (!changed.empty())
    return fmt::format("{}: the identity on {} is not as before: {}", name, name_of_port(*place),
                       fmt::join(changed, "; "));
  return {};
}

std::string World::wrong_now() {
  for (std::size_t node = 0; node < nodes_.size(); ++node)
    if (std::string wrong = wrong_at(node); !wrong.empty()) return wrong;
  const bool all_at_work =
      std::ranges::all_of(nodes_, [](const Node& node) { return node.at_work; });
  const bool some_path_works = !broken(0) || !broken(1);
  if (topology() == Topology::Crossover && all_at_work && some_path_works &&
      place_of(0) != place_of(1))
    return "a path works, and the two ends are on different ones";
  return {};
}

std::string World::unreachable() {
  if (!echo_ || (!some_port_works(0) && !some_port_works(1))) return {};
  const testing::AssertionResult reached = echo_->reaches_every_address();
  return reached ? std::string()
                 : fmt::format("a port works, and no answer: {}", reached.message());
}

std::string World::settle() {
  std::string wrong;
  const bool held = static_cast<bool>(await("rest", [&] {
    wrong = wrong_now();
    return wrong.empty();
  }));
  if (!held) return wrong;
  if (std::string silence = unreachable(); !silence.empty()) return silence;
  for (std::size_t node = 0; node < nodes_.size(); ++node)
    if (const auto seen = nodes_[node].observer->violations_so_far(); !seen.empty())
      return fmt::format("{}: {}", name_of(node), fmt::join(seen, "; "));
  return {};
}

std::string World::reset() {
  heal_all();
  for (std::size_t node = 0; node < nodes_.size(); ++node) wake(node);
  if (const auto ready = await("every daemon is ready", [&] { return all_ready(); }); !ready)
    return ready.message();
  if (std::string wrong = settle(); !wrong.empty()) return wrong;
  const auto home = await("everything is back on the primary", [&] {
    bool there = true;
    for (std::size_t node = 0; node < nodes_.size(); ++node) there &= place_of(node) == 0;
    if (!there) switch_by_hand(0);
    return there;
  });
  if (!home) return home.message();
  return settle();
}

std::string World::account() {
  std::string text;
  for (const Node& node : nodes_) {
    text += fmt::format("--- hanetd on {} wrote:\n{}", node.daemon->node(), node.daemon->log());
    if (node.at_work)
      text += "--- status:\n" + node.daemon->ctl({"status"}).out + "--- explain:\n" +
              node.daemon->ctl({"explain"}).out;
  }
  return text;
}

}  // namespace hanet::test
