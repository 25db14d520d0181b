// SPDX-License-Identifier: Apache-2.0
//
// How a group starts and ends; see path_group.h.
//
// The order keeps a refusal harmless: everything that can be wrong is looked at before the first
// change, the standby is prepared before the programs are attached, and nothing is sent before the
// caller says so.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/log.h"
#include "group/live_parameters.h"
#include "group/path_group.h"
#include "group/targets.h"
#include "net/look.h"

namespace hanet::group {
namespace {

policy::GroupRules rules_of(const config::GroupConfig& config) {
  return {.cold = config.standby_is_down(),
          .cold_retry = config.cold_retry,
          .failback = config.failback.policy,
          .hold_down = config.failback.hold_down,
          .damping_half_life = config.failback.damping_half_life};
}

}  // namespace

PathGroup::PathGroup(const config::GroupConfig& config, engine::GroupIndex index,
                     Environment environment)
    : config_(config),
      environment_(std::move(environment)),
      rules_(rules_of(config)),
      notices_(config.name, environment_.publish),
      context_{.config = config_,
               .index = index,
               .rules = rules_,
               .state = state_,
               .env = environment_,
               .notices = notices_},
      parts_(context_) {}

Status PathGroup::look() {
  if (!moves()) return look_device();
  parts_.kept.load(monotonic_now());
  Result<FoundPorts> found = parts_.ports.find(parts_.kept.ports());
  if (!found) return pass_on(found);
  found_ = parts_.kept.find_holder(*found);
  const bool is_lost = found_.state == policy::HolderState::Lost;
  const net::Identity& there = found->identities[found_.port];
  if (!is_lost && parts_.dummy.without(there) != there)
    return failure(fmt::format(
        "group {}: the dummy address {} is an address of {}; choose another dummy_address",
        config_.name, net::describe(parts_.dummy.parameters()->address), there.on.name));
  for (std::size_t at = 0; at < found->identities.size(); ++at)
    if (at != found_.port && !is_lost)
      if (Status fit = check_standby(parts_.dummy.without(found->identities[at])); !fit)
        return failure(fmt::format("group {}: {}", config_.name, fit.error().message));
  parts_.keeper.hold(parts_.kept.identity_of(found_, *found));
  if (Status asked = check_targets(environment_.requests, config_, parts_.keeper.identity(),
                                   found->identities);
      !asked)
    return asked;
  parts_.ports.choose_macs(found_.port, parts_.keeper.identity().mac);
  std::vector<std::size_t> counts;
  for (const config::PathConfig& path : config_.paths) counts.push_back(path.ports.size());
  const Port& holder = parts_.ports.all()[found_.port];
  state_ = policy::initial_state(counts, holder.path, rules_, holder.slot,
                                 config_.live.threshold_percent);
  if (found_.state == policy::HolderState::Nobody)
    log::warning("{}: no path has an address yet ({}); what {} gets later is the identity",
                 config_.name, fmt::join(parts_.ports.names(), ", "), holder.interface.name);
  if (Status free = parts_.metaname.check(); !free) return free;
  return parts_.dummy.check(parts_.keeper.identity().mac);
}

// Before anything else is changed.
Status PathGroup::recover() {
  if (found_.state != policy::HolderState::Lost) return {};
  const net::Identity lost = parts_.keeper.identity();
  Result<KeptIdentity::Recovered> recovered = parts_.kept.recover(lost);
  if (!recovered) return pass_on(recovered);
  parts_.keeper.hold(recovered->plan.expected);
  parts_.keeper.lacks(std::move(recovered->execution.lacking));
  parts_.keeper.mark_stale();
  parts_.afterwards.keep(std::move(recovered->execution.afterwards), MonotonicTime{});
  parts_.announcements.send_all(recovered->plan.announcements, MonotonicTime{});
  notices_.add("recovered", parts_.ports.name(state_.active),
               parts_.kept.recovery_text(lost, *recovered));
  return {};
}

Result<std::vector<engine::RequestFrames>> PathGroup::start() {
  parts_.ledger.load();
  for (const Port& port : parts_.ports.all())
    if (port.present()) net::remove_helper_routes(environment_.requests, port.place());
  if (Status recovered = recover(); !recovered) return pass_on(recovered);
  if (!moves())
    if (Status made = parts_.device.make(parts_.keeper.identity().mac); !made) return pass_on(made);
  const Port* has_identity = moves() ? &parts_.ports.holder() : enters_from_;
  if (Status prepared = parts_.standbys.prepare_all(has_identity); !prepared)
    return pass_on(prepared);
  environment_.engine.params(context_.index) = {};
  store_live_parameters(environment_.engine, context_.index, config_.live);
  if (Status signs = environment_.engine.set_keys(context_.index, config_.keys); !signs)
    return pass_on(signs);
  Result<std::vector<engine::RequestFrames>> requests = parts_.ports.attach();
  if (!requests) return requests;
  parts_.judge.begin(monotonic_now());
  parts_.replug.begin();
  if (Status given = give_identity(); !given) return pass_on(given);
  parts_.keeper.read_known_neighbours();
  parts_.switcher.prepare();
  return requests;
}

// To the active path, as far as the kernel side and the name are concerned.
Status PathGroup::give_identity() {
  if (!moves()) return attach_device();
  for (std::size_t path = 0; path < state_.paths.size(); ++path)
    if (path != state_.active)
      parts_.bridge.settle(parts_.ports.holder(), parts_.ports.lead(path),
                           parts_.keeper.identity().mac);
  parts_.metaname.take();
  return {};
}

void PathGroup::adopt(const config::GroupConfig& wanted) {
  config_.live = wanted.live;
  config_.restore = wanted.restore;
  config_.announce_count = wanted.announce_count;
  config_.announce_gap = wanted.announce_gap;
  config_.delay = wanted.delay;
  config_.delay_enabling = wanted.delay_enabling;
  config_.failback = wanted.failback;
  config_.cold_retry = wanted.cold_retry;
  rules_ = rules_of(config_);
  store_live_parameters(environment_.engine, context_.index, config_.live);
  if (Status signs = environment_.engine.set_keys(context_.index, wanted.keys); !signs) {
    log::error("{}: the keys stay as they were: {}", config_.name, signs.error().message);
  } else {
    config_.key_file = wanted.key_file;
    config_.keys = wanted.keys;
  }
  refresh(monotonic_now());
}

config::GroupConfig PathGroup::running() const {
  config::GroupConfig running = config_;
  running.live = live_parameters_of(environment_.engine.params(context_.index));
  return running;
}

// A killed instance may have moved the identity, or sent for it by the other path, and told nobody:
// a host that says nothing by itself would not be found.
Status PathGroup::begin_monitoring() {
  const Status begun = parts_.judge.begin_monitoring(monotonic_now());
  if (!begun || !environment_.engine.was_steered_lately(context_.index)) return begun;
  if (!moves())
    parts_.steerer.tell_network();
  else if (found_.state == policy::HolderState::Has)
    parts_.announcements.send_all_of(parts_.keeper.identity(), monotonic_now());
  return begun;
}

// Without hanetd the lead carries everything alone.
void PathGroup::leave_a_lead_that_works() {
  const policy::PathState& active = state_.paths[state_.active];
  if (policy::down_reason(active, active.lead) == policy::DownReason::None) return;
  for (std::size_t slot = 0; slot < active.ports.size(); ++slot)
    if (policy::is_proved(active, slot))
      return apply(policy::ManualSwitch{.to = state_.active, .port = slot}, monotonic_now());
}

void PathGroup::stop() {
  if (state_.paths.empty()) return;  // it never started
  if (!moves()) return stop_device();
  parts_.kept.ends(monotonic_now());
  // The bridge ends with hanetd.
  if (state_.waits_until) {
    apply(policy::WaitingEnds{}, monotonic_now());
    apply(policy::TimePassed{}, monotonic_now());
  }
  parts_.guard.restore();
  leave_a_lead_that_works();
  parts_.afterwards.finish();
  put_back();
  notices_.flush();
}

void PathGroup::put_back() {
  const Port* has_identity = moves() ? &parts_.ports.holder() : nullptr;
  if (std::exchange(has_moved_in_, false)) has_identity = move_out();
  parts_.metaname.give_up();
  parts_.standbys.restore_all(parts_.keeper.identity().mac, has_identity);
}

}  // namespace hanet::group
