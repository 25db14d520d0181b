// SPDX-License-Identifier: Apache-2.0
//
// See agreement.h.
#include "policy/agreement.h"

namespace hanet::policy {
namespace {

// Every port of a trunk that works hears the same; what another heard last may be old.
PeerClaim peer_on(const PathState& path) {
  for (std::size_t at = 0; at < path.ports.size(); ++at)
    if (is_proved(path, at) && path.ports[at].peer != PeerClaim::Unknown)
      return path.ports[at].peer;
  return PeerClaim::Unknown;
}

bool is_here(PeerClaim claim) { return claim == PeerClaim::Here || claim == PeerClaim::HereByHand; }

}  // namespace

std::optional<std::size_t> meeting_path(const GroupState& state, MonotonicTime now) {
  const PathState& active = state.paths[state.active];
  if (health_of(active) != Health::Up || peer_on(active) != PeerClaim::Elsewhere)
    return std::nullopt;
  const bool ours_by_hand = now < state.by_hand_until;
  for (std::size_t at = 0; at < state.paths.size(); ++at) {
    const PathState& path = state.paths[at];
    if (at == state.active || !is_here(peer_on(path))) continue;
    if (health_of(path) != Health::Up || now < path.avoid_until) return std::nullopt;
    const bool theirs_by_hand = peer_on(path) == PeerClaim::HereByHand;
    const bool goes = theirs_by_hand == ours_by_hand ? at < state.active : theirs_by_hand;
    return goes ? std::optional(at) : std::nullopt;
  }
  return std::nullopt;
}

PeerClaim claim_of(const GroupState& state, std::size_t path, MonotonicTime now) {
  if (path != state.active) return PeerClaim::Elsewhere;
  return now < state.by_hand_until ? PeerClaim::HereByHand : PeerClaim::Here;
}

}  // namespace hanet::policy
