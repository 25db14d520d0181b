// SPDX-License-Identifier: Apache-2.0
//
// See execute.h.
#include "failover/execute.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <system_error>

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

  void defer_judgement(std::vector<Step>& steps) {
    first_deferred_ = execution_.steps.size();
    for (Step& step : steps) {
      const MonotonicTime started = monotonic_now();
      const Status sent = socket_.send(step.messages);
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
      return;
    }
    std::size_t answer = 0;
    for (std::size_t at = 0; at < steps.size(); ++at) {
      if (!sent_[first_result + at]) continue;  // nobody answers what did not go out
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
};

// What can not be read is not absent: nobody rolls back for it (spec F14).
Findings not_readable(const Error& error, const net::Identity& expected) {
  if (error.code == ENODEV) return {.missing = {}, .unusable = error.message, .lacking = {}};
  return {.missing = {"what is there can not be read: " + error.message},
          .unusable = {},
          .lacking = expected};
}

Findings verify(net::NetlinkSocket& socket, const Plan& plan) {
  const Result<net::Identity> found = net::capture(socket, plan.to);
  if (!found) return not_readable(found.error(), plan.expected);
  Findings findings{.missing = net::missing_from(*found, plan.expected, false),
                    .unusable = {},
                    .lacking = net::lacking(*found, plan.expected)};
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

void roll_back(Run& run, net::NetlinkSocket& socket, Execution& execution,
               const std::function<Plan()>& back, const Announce& announce) {
  Plan reverse = back();
  run.send(reverse.steps);
  announce(reverse);
  std::ranges::move(reverse.afterwards, std::back_inserter(execution.afterwards));
  for (const std::string& line : verify(socket, reverse).missing)
    execution.problems.push_back("after the roll-back: missing " + line);
  execution.outcome = Outcome::RolledBack;
}

}  // namespace

Execution execute(net::NetlinkSocket& socket, Plan& plan, const std::function<Plan()>& back,
                  const Announce& announce) {
  Execution execution;
  Run run(socket, execution);
  run.defer_judgement(plan.steps);
  announce(plan);

  run.judge_deferred(plan.steps);
  execution.afterwards = plan.afterwards;
  free_old_mac(run, socket, plan);
  Findings found = verify(socket, plan);
  if (!found.missing.empty() || !found.unusable.empty()) {
    if (plan.moves_mac) set_macs_again(run, socket, execution, plan);
    std::vector<Step> steps = second_attempt(plan);
    run.send(steps);
    announce(plan);
    found = verify(socket, plan);
  }
  for (const std::string& line : found.missing) execution.problems.push_back("missing " + line);
  execution.lacking = std::move(found.lacking);
  if (!found.unusable.empty()) {
    execution.problems.push_back(found.unusable);
    roll_back(run, socket, execution, back, announce);
  } else if (!found.missing.empty()) {
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
