// SPDX-License-Identifier: Apache-2.0
//
// See execute.h.
#include "failover/execute.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <ranges>
#include <span>
#include <system_error>
#include <utility>

#include "net/capture.h"
#include "net/link.h"

namespace hanet::failover {
namespace {

std::string answer_text(const net::Acknowledgement& answer) {
  const std::string reason = std::generic_category().message(answer.code);
  return answer.message.empty() ? reason : fmt::format("{}: {}", answer.message, reason);
}

class Run {
 public:
  Run(net::NetlinkSocket& socket, Execution& execution) : socket_(socket), execution_(execution) {
    execution_.steps.reserve(32);
  }

  // What the answers mean is found by verification; they are kept for the record.
  void send(std::vector<Step>& steps) {
    const std::size_t first = execution_.steps.size();
    for (Step& step : steps) {
      StepResult result{
          .name = step.name, .started = monotonic_now(), .duration = {}, .result = {}};
      const Status sent = socket_.send(step.messages);
      sent_.push_back(sent.has_value());
      result.duration = monotonic_now() - result.started;
      result.result = sent ? "ok" : sent.error().message;
      execution_.steps.push_back(std::move(result));
    }
    judge(steps, first);
  }

  // `reachable`: behind the first chunk of plan.routes_at, or behind all of it.
  void defer_judgement(Plan& plan, const std::function<void()>& reachable,
                       const CalledAway& called_away) {
    first_deferred_ = execution_.steps.size();
    for (std::size_t at = 0; at < plan.steps.size(); ++at) {
      const MonotonicTime started = monotonic_now();
      const std::span<net::NetlinkMessage> all = plan.steps[at].messages;
      const bool halts = plan.routes_at == at && all.size() > net::NetlinkSocket::kChunk;
      const std::span<net::NetlinkMessage> first =
          halts ? all.first(net::NetlinkSocket::kChunk) : all;
      Status sent = socket_.send(first);
      if (halts) {
        reachable();
        socket_.give_up_when(called_away);
        const Status rest = socket_.send(all.subspan(first.size()));
        socket_.give_up_when({});
        if (sent) sent = rest;
      }
      sent_.push_back(sent.has_value());
      execution_.steps.push_back({.name = {},
                                  .started = started,
                                  .duration = monotonic_now() - started,
                                  .result = sent ? std::string() : sent.error().message});
    }
    execution_.last_message_sent = monotonic_now();
  }

  void judge_deferred(const std::vector<Step>& steps) {
    for (std::size_t at = 0; at < steps.size(); ++at) {
      StepResult& result = execution_.steps[first_deferred_ + at];
      result.name = steps[at].name;
      if (result.result.empty()) result.result = "ok";
    }
    judge(steps, first_deferred_);
  }

 private:
  void judge(const std::vector<Step>& steps, std::size_t first_result) {
    const Result<std::vector<net::Acknowledgement>> answers = socket_.collect();
    if (!answers) {
      execution_.problems.push_back(answers.error().message);
      for (std::size_t at = 0; at < steps.size(); ++at)
        if (sent_[first_result + at]) execution_.steps[first_result + at].result = "unknown";
      return;
    }
    std::size_t answer = 0;
    for (std::size_t at = 0; at < steps.size(); ++at) {
      if (!sent_[first_result + at]) {  // it says why
        answer += steps[at].messages.size();
        continue;
      }
      for (std::size_t i = 0; i < steps[at].messages.size(); ++i, ++answer) {
        const net::Acknowledgement& got = (*answers)[answer];
        if (got.code == 0) continue;
        if (std::ranges::count(steps[at].tolerated, got.code) != 0) {
          execution_.steps[first_result + at].unchanged.push_back(i);
          continue;
        }
        execution_.steps[first_result + at].result = answer_text(got);
      }
    }
  }

  net::NetlinkSocket& socket_;
  Execution& execution_;
  std::size_t first_deferred_ = 0;
  std::vector<bool> sent_;  // parallel to execution_.steps
};

/// What the kernel holds now, beside what the plan promised.
struct Findings {
  std::vector<std::string> missing;
  std::string unusable;  ///< why the interface is no place for the identity at all; empty: it is
  net::Identity lacking;
  bool called_away = false;
};

// What can not be read is not absent: nobody rolls back for it (spec F14).
Findings not_readable(const Error& error, const net::Identity& expected) {
  if (error.code == ENODEV) return {.missing = {}, .unusable = error.message, .lacking = {}};
  if (error.code == ECANCELED)
    return {.missing = {}, .unusable = {}, .lacking = expected, .called_away = true};
  return {.missing = {"what is there can not be read: " + error.message},
          .unusable = {},
          .lacking = expected};
}

// By a socket of its own: a dump that is given up ends with it.
Result<net::Identity> look_at(const net::InterfaceName& interface, const CalledAway& called_away) {
  Result<net::NetlinkSocket> eyes = net::NetlinkSocket::open();
  if (!eyes) return pass_on(eyes);
  eyes->give_up_when(called_away);
  return net::capture(*eyes, interface);
}

Findings verify(net::NetlinkSocket& socket, const Plan& plan, const CalledAway& called_away) {
  const Result<net::Identity> found = look_at(plan.to, called_away);
  if (!found) return not_readable(found.error(), plan.expected);
  Findings findings{.missing = net::wrong_macs(*found, plan.expected),
                    .unusable = {},
                    .lacking = net::lacking(*found, plan.expected)};
  std::ranges::move(net::describe_all(findings.lacking), std::back_inserter(findings.missing));
  const Result<net::LinkInfo> link = net::read_link(socket, plan.to.index);
  if (!link)
    findings.unusable = link.error().code == ENODEV ? link.error().message : std::string();
  else if (!link->admin_up)
    findings.unusable = plan.to.name + " is down";
  else if (!plan.expected.addresses.empty() && found->addresses.empty())
    findings.unusable = plan.to.name + " has none of the addresses";
  return findings;
}

/// Those that have to be called otherwise, as they have to be called.
std::vector<net::Vlan> with_other_mac(const std::vector<net::Vlan>& vlans,
                                      const std::vector<net::Vlan>& expected) {
  std::vector<net::Vlan> others;
  for (const net::Vlan& vlan : vlans)
    if (const auto same = std::ranges::find(expected, vlan.tag, &net::Vlan::tag);
        same != expected.end() && same->mac != vlan.mac)
      others.push_back(*same);
  return others;
}

// The port's, or that of VLANs that do not follow it.
void set_macs_again(Run& run, net::NetlinkSocket& socket, Execution& execution, const Plan& plan) {
  Result<net::Identity> found = net::capture(socket, plan.to);
  if (!found) return;
  if (found->mac != plan.expected.mac) {
    std::vector<Step> steps = mac_with_restart(plan.to, plan.expected.mac);
    run.send(steps);
    execution.restarted_link = true;
    found = net::capture(socket, plan.to);
    if (!found) return;
  }
  const std::vector<net::Vlan> others = with_other_mac(found->vlans, plan.expected.vlans);
  if (others.empty()) return;
  std::vector<Step> steps{set_macs(others)};
  run.send(steps);
}

// A driver that refuses a new MAC address on a running interface must not leave the identity's on
// the old one: two interfaces that are up would share it.
void free_old_mac(Run& run, net::NetlinkSocket& socket, const Plan& plan) {
  if (!plan.moves_mac || plan.from_gone) return;
  const Result<net::LinkInfo> link = net::read_link(socket, plan.from.index);
  if (link && link->mac == plan.expected.mac) {
    std::vector<Step> steps = mac_with_restart(plan.from, plan.spare_mac);
    if (plan.cold) steps.pop_back();  // it stays down
    run.send(steps);
  }
  // Only now: a VLAN whose address is set by hand follows its port never again.
  if (plan.from_vlans.empty()) return;
  const Result<std::vector<net::LinkInfo>> links = net::read_links(socket);
  if (!links) return;
  std::vector<net::Vlan> still;
  for (net::Vlan& vlan : net::vlans_among(*links, plan.from.index)) {
    if (vlan.mac != plan.expected.mac ||
        std::ranges::count(plan.from_vlans, vlan.tag, &net::Vlan::tag) == 0)
      continue;
    vlan.mac = plan.spare_mac;
    still.push_back(std::move(vlan));
  }
  if (still.empty()) return;
  std::vector<Step> steps{set_macs(still)};
  run.send(steps);
}

// Nobody reads a full routing table.
void tell_problems(const Findings& found, Execution& execution) {
  constexpr std::size_t kTold = 16;
  for (const std::string& line : found.missing | std::views::take(kTold))
    execution.problems.push_back("missing " + line);
  if (found.missing.size() > kTold)
    execution.problems.push_back(fmt::format("missing {} more", found.missing.size() - kTold));
  if (found.called_away)
    execution.problems.emplace_back("not looked at to the end, because another fault came");
}

void roll_back(Run& run, net::NetlinkSocket& socket, Execution& execution,
               const std::function<Plan()>& back, const Announce& announce) {
  Plan reverse = back();
  run.send(reverse.steps);
  announce(reverse);
  std::ranges::move(reverse.afterwards, std::back_inserter(execution.afterwards));
  for (const std::string& line : verify(socket, reverse, {}).missing)
    execution.problems.push_back("after the roll-back: missing " + line);
  execution.outcome = Outcome::RolledBack;
}

}  // namespace

Execution execute(net::NetlinkSocket& socket, Plan& plan, const std::function<Plan()>& back,
                  const Announce& announce, const CalledAway& called_away) {
  Execution execution;
  Run run(socket, execution);
  bool announced = false;
  const auto reachable = [&] {
    if (!std::exchange(announced, true)) announce(plan);
  };
  run.defer_judgement(plan, reachable, called_away);
  reachable();

  run.judge_deferred(plan.steps);
  execution.afterwards = plan.afterwards;
  free_old_mac(run, socket, plan);
  Findings found = verify(socket, plan, called_away);
  if (!found.called_away && (!found.missing.empty() || !found.unusable.empty())) {
    if (plan.moves_mac) set_macs_again(run, socket, execution, plan);
    // Going down has removed more than was missing.
    const net::Identity& lacking = execution.restarted_link ? plan.expected : found.lacking;
    std::vector<Step> steps = second_attempt(plan, lacking);
    socket.give_up_when(called_away);
    run.send(steps);
    socket.give_up_when({});
    announce(plan);
    found = verify(socket, plan, called_away);
  }
  tell_problems(found, execution);
  execution.lacking = std::move(found.lacking);
  if (!found.unusable.empty()) {
    execution.problems.push_back(found.unusable);
    roll_back(run, socket, execution, back, announce);
  } else if (!found.missing.empty() || found.called_away) {
    execution.outcome = Outcome::Incomplete;
  }
  return execution;
}

std::string_view to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::Complete:
      return "complete";
    case Outcome::Incomplete:
      return "incomplete";
    case Outcome::RolledBack:
      return "rolled back";
  }
  return "?";
}

}  // namespace hanet::failover
