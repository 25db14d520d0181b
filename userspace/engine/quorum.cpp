// SPDX-License-Identifier: Apache-2.0
//
// See quorum.h.
#include "engine/quorum.h"

#include <algorithm>
#include <functional>
#include <ranges>
#include <utility>
#include <vector>

#include "engine/maps.h"

namespace hanet::engine {
namespace {

/// A time of a session and its place: sorted by time, the sessions in the order of their changes.
using Change = std::pair<std::uint64_t, std::size_t>;

// The change number `nth` is the one that made the difference.
std::size_t decider_among(std::vector<Change>& changes, std::size_t nth) {
  std::ranges::sort(changes);
  return changes.at(nth).second;
}

}  // namespace

PortVerdict verdict_of(const hanet_port& port, std::span<const hanet_session> sessions) {
  PortVerdict verdict;
  const std::size_t quorum = port.quorum;
  if (sessions.empty() || quorum == 0 || quorum > sessions.size()) return verdict;
  std::vector<Change> came_up, went_down;
  std::vector<std::uint64_t> replies;
  std::uint32_t paused = 0;
  std::size_t ever_up = 0;
  for (std::size_t at = 0; at < sessions.size(); ++at) {
    const hanet_session& session = sessions[at];
    const std::uint32_t state = load(session.state);
    paused += state == HANET_SESSION_PAUSED ? 1 : 0;
    if (state == HANET_SESSION_UP) came_up.emplace_back(load(session.state_since_ns), at);
    if (state == HANET_SESSION_DOWN) went_down.emplace_back(load(session.verdict_ns), at);
    replies.push_back(load(session.last_reply_ns));
    ever_up += load(session.up_verdicts) != 0 ? 1 : 0;
  }
  std::ranges::sort(replies, std::greater());
  verdict.last_reply_ns = replies[quorum - 1];
  verdict.was_up = ever_up >= quorum;
  verdict.state = static_cast<hanet_session_state>(
      hanet_quorum_state(&port, static_cast<std::uint32_t>(came_up.size()),
                         static_cast<std::uint32_t>(went_down.size()), paused));
  if (verdict.state == HANET_SESSION_UP) verdict.decider = decider_among(came_up, quorum - 1);
  if (verdict.state == HANET_SESSION_DOWN)
    verdict.decider = decider_among(went_down, sessions.size() - quorum);
  return verdict;
}

}  // namespace hanet::engine
