// SPDX-License-Identifier: Apache-2.0
//
// The engine's fifth part: what an instance left that was killed (spec D7); see engine.h.
//
// Until this instance takes over, the other one watches on (left_engine.h), and where that fails in
// the middle it does so again. Then this one steers as that one did. Where it can not (a move that
// was cut off, other ports, maps of another version), the old programs go on steering behind those
// of this one, as they were told last, until this instance knows what is to be steered.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "engine/engine.h"
#include "engine/port_table.h"
#include "engine/probe.h"
#include "hanet.skel.h"

namespace hanet::engine {
namespace {

// Longer than any start takes; a verdict may take longer.
constexpr Nanoseconds kLeftSteers = std::chrono::seconds(10);

// A switchover is announced for less (group/announcements.h: six times, unless more is configured).
constexpr Nanoseconds kLately = std::chrono::seconds(10);

}  // namespace

// Of all ports of a group at once: a verdict on one asks whether the other one is proved. Nobody
// makes one between the first step and start_sessions(), so nothing here takes long: the programs
// are attached, and pass everything until their port is entered.
Status Engine::take_group_over(GroupIndex group) {
  std::vector<PortIndex> ports;
  for (const PortIndex port : not_taken_over_)
    if (ports_[port].group == group) ports.push_back(port);
  std::vector<LeftEngine::Steering> left;
  for (const PortIndex port : ports) {
    take_knowledge(port);
    left.push_back(left_.disarm(ports_[port].ifindex).value_or(LeftEngine::Steering{}));
  }
  note_steering(group, left);
  const bool alike = steers_alike(ports, left);
  if (alike && !ports.empty()) steers_alike_.insert(group);
  for (std::size_t at = 0; at < ports.size(); ++at)
    if (alike && waits_[ports[at]])
      store(steer_[ports[at]].mode, left[at].mode);
    else if (!alike && left[at].is_armed)
      left_.arm(ports_[ports[at]].ifindex);
  take_path_of_device(group);
  for (const PortIndex port : ports)
    if (Status entered = enter(port); !entered) return entered;
  return enter_device(group);
}

// Its verdicts may have chosen another one since the group looked.
void Engine::take_path_of_device(GroupIndex group) {
  const unsigned left = left_.path_of_device(devices_[group].ifindex);
  for (PortIndex port = 0; left != 0 && port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && ports_[port].group == group && ports_[port].ifindex == left)
      use_path(group, port);
}

// What its sessions on the port knew; they end.
void Engine::take_knowledge(PortIndex port) {
  not_taken_over_.erase(port);
  const unsigned ifindex = ports_[port].ifindex;
  const MonotonicTime now = monotonic_now();
  const std::vector<LeftEngine::Known> ended = left_.end_sessions(ifindex);
  taken_over_.insert(taken_over_.end(), ended.begin(), ended.end());
  for (const SessionIndex session : sessions_of(port))
    if (const auto known = std::ranges::find_if(ended,
                                                [&](const auto& one) {
                                                  return one.beat_type == ports_[port].beat_type &&
                                                         one.beat_port == ports_[port].beat_port &&
                                                         is_known(one.session, sessions_[session],
                                                                  now);
                                                });
        known != ended.end())
      known_[session] = *known;
  if (ports_[port].trunk != 0 && left_.speaker(ifindex) == ifindex)
    store(trunks_[ports_[port].trunk - 1].speaker, ports_[port].trunk_slot);
}

// An edge from before that was not seen here.
Status Engine::enter(PortIndex port) {
  const unsigned ifindex = ports_[port].ifindex;
  if (const int updated = enter_port(*skeleton_, ifindex, port); updated != 0)
    return errno_error(updated, fmt::format("register port {}", ports_[port].name));
  const std::uint32_t carrier = left_.carrier(ifindex);
  if (!sees_every_edge() || carrier == HANET_CARRIER_UNKNOWN) return {};
  return control(
      carrier == HANET_CARRIER_UP ? HANET_CONTROL_CARRIER_UP : HANET_CONTROL_CARRIER_DOWN, port);
}

// Of before it was seen last, or since then.
void Engine::note_steering(GroupIndex group, std::span<const LeftEngine::Steering> left) {
  if (!left_alone_since_) return;
  const MonotonicTime since = *left_alone_since_ - kLately;
  if (std::ranges::any_of(left, [&](const LeftEngine::Steering& way) {
        return way.since_ns != 0 && from_kernel_ns(way.since_ns) > since;
      }))
    steered_lately_.insert(group);
}

// At rest in the same way, or bridging as the kernel side does by itself, from and to where it
// would here. What is left of a move that was cut off is neither.
bool Engine::steers_alike(std::span<const PortIndex> ports,
                          std::span<const LeftEngine::Steering> left) const {
  bool receives = false;
  bool sends = false;
  for (std::size_t at = 0; at < ports.size(); ++at) {
    const hanet_steer& way = steer_[ports[at]];
    if (waits_[ports[at]]) {
      receives = receives || left[at].mode == HANET_STEER_BRIDGE_IN;
      if (left[at].mode != HANET_STEER_BRIDGE_IN && left[at].mode != HANET_STEER_IDLE) return false;
    } else if (left[at].mode == HANET_STEER_BRIDGE_OUT) {
      sends = left[at].is_armed && way.armed != 0 &&
              std::ranges::any_of(path_of(way.peer_port), [&](PortIndex peer) {
                return ports_[peer].ifindex == left[at].peer;
              });
      if (!sends) return false;
    } else if (left[at].mode != way.mode) {
      return false;
    }
  }
  return receives == sends;
}

// With its sessions at work: what they say of a trunk's ports is needed to steer by them. Who
// receives does so already.
void Engine::steer_instead(GroupIndex group) {
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port) {
    if (!left_steers_[port] || ports_[port].in_use == 0 || ports_[port].group != group) continue;
    const auto left = left_.steering(ports_[port].ifindex);
    std::uint32_t at_rest = trunk_of(port) == nullptr ? HANET_STEER_NONE : HANET_STEER_LEAD;
    if (left && left->mode == HANET_STEER_BRIDGE_OUT &&
        std::atomic_ref(steer_[port].mode).compare_exchange_strong(at_rest, HANET_STEER_BRIDGE_OUT))
      store(steer_[port].steered_ns, left->since_ns);
    left_steers_[port] = !left_.end_steering(ports_[port].ifindex);
  }
}

// While the other one steers, a port that waits lets pass what is bridged to it or from it.
void Engine::end_left_steering(GroupIndex group) {
  const auto is_left = [&](PortIndex port) {
    return left_steers_[port] && ports_[port].in_use != 0 && ports_[port].group == group;
  };
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port) {
    if (!is_left(port) || !waits_[port] || engine::load(steer_[port].mode) != HANET_STEER_NONE)
      continue;
    const PortIndex peer = steer_[port].peer_port;
    const bool bridged =
        peer < HANET_MAX_PORTS && engine::load(steer_[peer].mode) == HANET_STEER_BRIDGE_OUT;
    store(steer_[port].mode, bridged ? HANET_STEER_BRIDGE_IN : HANET_STEER_IDLE);
  }
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port) {
    if (!is_left(port)) continue;
    left_steers_[port] = false;
    if (!left_.end_steering(ports_[port].ifindex)) attachments_[port].end_left();
  }
}

bool Engine::is_left_in_charge() const {
  if (!left_.goes_on()) return false;
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0) return false;
  return true;
}

void Engine::spare(std::set<unsigned> interfaces) {
  if (spared_ == interfaces) return;
  spared_ = std::move(interfaces);
  strays_ended_ = false;
}

bool Engine::is_left_at(unsigned ifindex) const {
  return left_.goes_on() && !taken_for_good_.contains(ifindex) &&
         left_.interfaces().contains(ifindex);
}

// What was read of it is old from now on.
void Engine::give_back(PortIndex port) {
  const unsigned ifindex = ports_[port].ifindex;
  left_.go_on(ifindex);
  std::erase_if(taken_over_, [&](const auto& known) { return known.ifindex == ifindex; });
  steers_alike_.erase(ports_[port].group);
}

bool Engine::left_watches_on() const {
  return std::ranges::any_of(spared_, [&](unsigned ifindex) { return is_left_at(ifindex); });
}

std::set<unsigned> Engine::own_interfaces() const {
  std::set<unsigned> own;
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (attachments_[port].is_attached()) own.insert(ports_[port].ifindex);
  for (GroupIndex group = 0; devices_.valid() && group < HANET_MAX_GROUPS; ++group)
    if (devices_[group].ifindex != 0) own.insert(devices_[group].sends);
  if (pacer_) own.merge(pacer_->interfaces());
  return own;
}

// Ports that the other instance watched and this one does not.
void Engine::end_strays() {
  std::set<unsigned> kept = own_interfaces();
  kept.insert(spared_.begin(), spared_.end());
  for (const unsigned left : left_.interfaces())
    if (!kept.contains(left)) TcHook::end_left_filters(left);
  if (left_watches_on()) kept.merge(Pacer::pair_of(left_.pacer_interface()));
  end_left_links(pin_directory_, kept);
}

void Engine::end_left() {
  if (!left_.goes_on()) return;
  const std::set<unsigned> own = own_interfaces();
  for (const unsigned left : left_.interfaces())
    if (!own.contains(left)) TcHook::end_left_filters(left);
  end_left_links(pin_directory_, own);
  name_tracing();
  left_.stop();
  Pacer::end_left(pin_directory_.string(), pacer_ ? pacer_->token_interface() : 0);
  left_ = {};
}

// The path of the identity works, or its traffic is bridged or moved (begin_move() does not wait to
// be asked); or so much time has passed that the path must have its verdict.
bool Engine::knows_what_to_steer(PortIndex port, MonotonicTime now) const {
  const std::uint32_t mode = engine::load(steer_[port].mode);
  const bool has_identity = !waits_[port] && (mode == HANET_STEER_NONE || mode == HANET_STEER_LEAD);
  Nanoseconds longest = kLeftSteers;
  for (const SessionIndex session : sessions_of(port))
    longest = std::max(longest, 2 * detection_time(sessions_[session]));
  return mode == HANET_STEER_BRIDGE_OUT ||
         (has_identity && verdict(port).state == HANET_SESSION_UP) ||
         (left_steers_[port] && now > attachments_[port].attached_at() + longest);
}

// Its state is the kernel side's from the start on, unless that has learned something by now.
void Engine::go_on_as(SessionIndex index, const LeftEngine::Known& known) {
  hanet_session& session = sessions_[index];
  flights_[index] = known.flight;
  std::uint32_t before = HANET_SESSION_UNKNOWN;
  if (std::atomic_ref(session.state)
          .compare_exchange_strong(before, known.session.state, std::memory_order_seq_cst))
    store(session.state_since_ns, known.session.state_since_ns);
}

Nanoseconds Engine::show_presence(MonotonicTime now) {
  const auto stamp = static_cast<std::uint64_t>(now.time_since_epoch().count());
  const std::uint64_t before = engine::load(accounts_[0].attended_ns);
  store(accounts_[0].attended_ns, stamp);
  // Where nobody has taken its place, it does what it does without hanetd; but not where it steers
  // on behind ours.
  const bool steers_behind = std::ranges::any_of(attachments_, &PortAttachment::has_left);
  if (!is_left_in_charge() && (steers_behind || !left_watches_on())) left_.show_presence(stamp);
  return before == 0 ? Nanoseconds(0) : now - from_kernel_ns(before);
}

// A port that has no sessions yet, because its interface came later, has nothing to take over. As
// long as no group has begun, the other one is all there is. Up to the names of the pins each group
// can be given back to it; from there on nothing fails.
Status Engine::take_over() {
  if (is_left_in_charge()) return {};
  while (!not_taken_over_.empty())
    if (Status taken = take_group_over(ports_[*not_taken_over_.begin()].group); !taken)
      return taken;
  // Of groups whose ports nobody watched before.
  while (!not_entered_.empty())
    if (Status entered = enter_device(*not_entered_.begin()); !entered) return entered;
  if (!left_.goes_on()) return {};
  if (!has_names_)
    if (Status named = name_pins(); !named) return named;
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0) taken_for_good_.insert(ports_[port].ifindex);
  for (GroupIndex group = 0; group < HANET_MAX_GROUPS; ++group)
    if (devices_[group].ifindex != 0) taken_for_good_.insert(devices_[group].sends);
  for (const GroupIndex group : std::exchange(steers_alike_, {})) steer_instead(group);
  if (left_watches_on()) return {};
  name_tracing();
  left_.stop();
  // Last: an interface takes its time to go.
  Pacer::end_left(pin_directory_.string(), pacer_ ? pacer_->token_interface() : 0);
  return {};
}

void Engine::attend(MonotonicTime now) {
  if (is_left_in_charge()) return;
  began_ = true;
  if (!std::exchange(strays_ended_, true)) end_strays();
  // The path that it uses was taken over with the group.
  for (TcHook& hook : device_hooks_)
    if (hook.has_left() && !is_left_in_charge()) hook.end_left();
  if (std::ranges::none_of(attachments_, &PortAttachment::has_left)) {
    if (!left_watches_on()) left_ = {};
    return;
  }
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && knows_what_to_steer(port, now))
      end_left_steering(ports_[port].group);
  // One each time: it takes tens of milliseconds, and a verdict may wait.
  for (PortIndex port = 0; port < HANET_MAX_PORTS; ++port)
    if (!left_steers_[port] && attachments_[port].has_left()) return attachments_[port].end_left();
}

Result<bool> Engine::take_off_left(const std::filesystem::path& pin_directory) {
  std::error_code failed;
  const bool is_there = std::filesystem::exists(pin_directory, failed);
  if (failed) return errno_error(failed.value(), "look at " + pin_directory.string());
  if (!is_there) return false;
  Engine left;  // opened for the names of its maps; nothing is loaded
  left.skeleton_.reset(hanet_bpf__open());
  if (!left.skeleton_) return errno_error(errno, "open the BPF object");
  left.pin_directory_ = pin_directory;
  for (const unsigned ifindex : LeftEngine::open(pin_directory).interfaces())
    TcHook::end_left_filters(ifindex);
  end_left_links(pin_directory, {});
  for (const char* name : kTracing)
    for (const std::filesystem::path& pin : {pin_directory / name, new_pin(pin_directory, name)})
      const PinnedLink ends = PinnedLink::adopt(pin);
  Pacer::end_left(pin_directory.string(), 0);
  left.remove_own_pins();
  left.pin_directory_.clear();
  if (!std::filesystem::remove(pin_directory, failed) && failed)
    return errno_error(failed.value(), "remove " + pin_directory.string());
  return true;
}

}  // namespace hanet::engine
