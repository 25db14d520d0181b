// SPDX-License-Identifier: Apache-2.0
//
// See path.h.
#include "policy/path.h"

#include <algorithm>
#include <array>

namespace hanet::policy {
namespace {

constexpr std::size_t kReasons = static_cast<std::size_t>(DownReason::HeartbeatLost) + 1;

DownReason down_reason(const PortState& port) {
  if (port.taken_out) return DownReason::TakenOut;
  if (!port.present) return DownReason::InterfaceGone;
  if (!port.admin_up) return DownReason::AdminDown;
  if (port.carrier == false) return DownReason::CarrierLost;
  if (port.session == SessionState::Down) return DownReason::HeartbeatLost;
  return DownReason::None;
}

}  // namespace

DownReason down_reason(const PathState& path, std::size_t port) {
  const PortState& state = path.ports[port];
  // An interface that is gone is gone, whether anybody watches it or not.
  if (!path.watched && state.present) return DownReason::None;
  return down_reason(state);
}

Capacity capacity_of(const PathState& path) {
  Capacity sum;
  for (std::size_t at = 0; at < path.ports.size(); ++at) {
    const PortState& port = path.ports[at];
    sum.total += port.weight;
    if (down_reason(path, at) != DownReason::None)
      sum.lost += port.weight;
    else if (is_proved(path, at))
      sum.working += port.weight;
  }
  return sum;
}

bool below_threshold(std::uint64_t lost, std::uint64_t total, std::uint32_t threshold_percent) {
  return lost * 100 >= total * threshold_percent;
}

DownReason down_reason(const PathState& path) {
  const Capacity sum = capacity_of(path);
  if (!below_threshold(sum.lost, sum.total, path.threshold_percent)) return DownReason::None;
  std::array<std::size_t, kReasons> votes{};
  for (std::size_t at = 0; at < path.ports.size(); ++at)
    ++votes.at(static_cast<std::size_t>(down_reason(path, at)));
  const auto most = std::max_element(votes.begin() + 1, votes.end());
  return static_cast<DownReason>(most - votes.begin());
}

Health health_of(const PathState& path) {
  if (down_reason(path) != DownReason::None) return Health::Down;
  if (!path.watched) return Health::Unknown;
  // Proved: it would stand although every port that is not yet known were lost.
  const Capacity sum = capacity_of(path);
  const bool proved = !below_threshold(sum.total - sum.working, sum.total, path.threshold_percent);
  return proved ? Health::Up : Health::Unknown;
}

bool can_lead(const PathState& path, std::size_t port) {
  const PortState& state = path.ports[port];
  // An idle cold path is down by intent.
  return state.present && !state.taken_out && (state.admin_up || !path.watched);
}

bool is_proved(const PathState& path, std::size_t port) {
  return path.watched && down_reason(path, port) == DownReason::None &&
         path.ports[port].session == SessionState::Up;
}

bool works(const PathState& path, std::size_t port) {
  return can_lead(path, port) && is_proved(path, port);
}

std::size_t best_lead(const PathState& path, bool fresh) {
  if (can_lead(path, path.lead) && (!fresh || works(path, path.lead))) return path.lead;
  for (std::size_t at = 0; at < path.ports.size(); ++at)
    if (works(path, at)) return at;
  if (can_lead(path, path.lead)) return path.lead;
  for (std::size_t at = 0; at < path.ports.size(); ++at)
    if (can_lead(path, at)) return at;
  return path.lead;
}

std::string_view to_text(Health health) {
  switch (health) {
    case Health::Unknown:
      return "unknown";
    case Health::Up:
      return "up";
    case Health::Down:
      return "down";
  }
  return "?";
}

std::string_view to_text(DownReason reason) {
  switch (reason) {
    case DownReason::None:
      return "";
    case DownReason::TakenOut:
      return "taken out";
    case DownReason::InterfaceGone:
      return "interface gone";
    case DownReason::AdminDown:
      return "administratively down";
    case DownReason::CarrierLost:
      return "carrier lost";
    case DownReason::HeartbeatLost:
      return "heartbeat lost";
  }
  return "?";
}

std::string_view to_text(PeerClaim claim) {
  switch (claim) {
    case PeerClaim::Unknown:
      return "";
    case PeerClaim::Elsewhere:
      return "elsewhere";
    case PeerClaim::Here:
      return "here";
    case PeerClaim::HereByHand:
      return "here by hand";
  }
  return "?";
}

std::string_view to_text(SessionState state) {
  switch (state) {
    case SessionState::Unknown:
      return "unknown";
    case SessionState::Up:
      return "up";
    case SessionState::Down:
      return "down";
    case SessionState::Paused:
      return "paused";
  }
  return "?";
}

}  // namespace hanet::policy
