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

std::size_t other(std::size_t path) { return 1 - path; }

}  // namespace

World::World(Topology topology, const Settings& settings) {
  Result<std::unique_ptr<Lab>> lab = Lab::up(topology);
  if (!lab) throw std::runtime_error(lab.error().message);
  lab_ = std::move(*lab);
  for (const std::string& name : lab_->hanet_nodes()) {
    const Result<std::string> config = lab_->config(name, settings);
    if (!config) throw std::runtime_error(config.error().message);
    Node& node = nodes_.emplace_back();
    node.daemon = std::make_unique<Hanet>(*lab_, name, *config);
    node.identity = identity_on(lab_->netns(name), kPorts[0]);
    node.observer = std::make_unique<Observer>(lab_->netns(name));
    node.addresses = node.observer->addresses_of(kPorts[0]);
    node.daemon->start();
  }
  must(await("every daemon is ready", [&] { return all_ready(); }));
}

const std::string& World::name_of(std::size_t node) const { return nodes_.at(node).daemon->node(); }

bool World::all_ready() {
  return std::ranges::all_of(nodes_, [](const Node& node) { return node.daemon->ready(); });
}

std::optional<std::size_t> World::place_of(std::size_t node) {
  Node& at = nodes_.at(node);
  const auto holds = [&](std::size_t path) {
    const std::set<std::string> there = at.observer->addresses_of(kPorts[path]);
    return std::ranges::includes(there, at.addresses);
  };
  const bool first = holds(0);
  if (first == holds(1)) return std::nullopt;
  return first ? 0 : 1;
}

// --- what a step does ----------------------------------------------------------------------------

void World::fault(const std::string& kind, std::size_t path, const std::string& node) {
  Arguments more;
  if (!node.empty()) more = {"--node", node};
  must(lab_->fault(kind, kPaths.at(path), more));
  broken_.at(path) = true;
}

void World::fault_all() {
  must(lab_->fault("carrier", "all"));
  broken_ = {true, true};
}

void World::flap(std::size_t path) {
  must(lab_->fault("flap", kPaths.at(path), {"--times", "2", "--period-ms", "40"}));
  heal(path);  // of what was broken before, too: a flap ends with a cable that works
}

void World::heal(std::size_t path) {
  must(lab_->heal(kPaths.at(path)));
  broken_.at(path) = false;
}

void World::heal_all() {
  must(lab_->heal());
  broken_ = {false, false};
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
  } else {
    at.daemon->thaw();
  }
  at.at_work = true;
  at.killed = false;
}

void World::switch_by_hand(std::size_t path) {
  for (const Node& node : nodes_)
    if (node.at_work) [[maybe_unused]]
      const auto answer = node.daemon->ctl({"switch", "mether0", "--to", kPorts.at(path)});
}

// --- what must hold ------------------------------------------------------------------------------

std::string World::wrong_at(std::size_t node) {
  Node& at = nodes_.at(node);
  const std::string& name = name_of(node);
  const std::optional<std::size_t> place = place_of(node);
  if (!place) return name + ": the identity is not on exactly one interface";
  const bool some_path_works = !broken_[0] || !broken_[1];
  if (at.at_work && some_path_works && broken_.at(*place))
    return fmt::format("{}: the identity is on {}, which is broken, and {} works", name,
                       kPorts.at(*place), kPorts.at(other(*place)));
  const std::vector<std::string> changed =
      differences(at.identity, identity_on(lab_->netns(name), kPorts.at(*place)));
  if (!changed.empty())
    return fmt::format("{}: the identity on {} is not as before: {}", name, kPorts.at(*place),
                       fmt::join(changed, "; "));
  return {};
}

std::string World::wrong_now() {
  for (std::size_t node = 0; node < nodes_.size(); ++node)
    if (std::string wrong = wrong_at(node); !wrong.empty()) return wrong;
  const bool all_at_work =
      std::ranges::all_of(nodes_, [](const Node& node) { return node.at_work; });
  const bool some_path_works = !broken_[0] || !broken_[1];
  if (topology() == Topology::Crossover && all_at_work && some_path_works &&
      place_of(0) != place_of(1))
    return "a path works, and the two ends are on different ones";
  return {};
}

std::string World::settle() {
  std::string wrong;
  const bool held = static_cast<bool>(await("rest", [&] {
    wrong = wrong_now();
    return wrong.empty();
  }));
  if (!held) return wrong;
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
