// SPDX-License-Identifier: Apache-2.0
//
// What one session sends now, and when it wants to be asked again: the sender's decision, pure.
//
// Four promises are kept here. A sender that was held up sends one request afterwards, not a
// burst: requests that leave together are lost together, and would count as several. A shorter
// interval is in force at once, however far away the next beat was. Whoever is searched for hears
// at most one broadcast a second. And now and then everybody is asked although the target answers,
// because of two hosts with one address the other one is never heard otherwise.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/clock.h"

namespace hanet::engine {

/// Between two searches (broadcast or multicast), and between two refreshes (unicast).
inline constexpr Nanoseconds kSearchGap = std::chrono::seconds(1);
inline constexpr Nanoseconds kRefreshGap = std::chrono::seconds(1);
/// Between two looks at who else has the target's address; while somebody says so, a search gap.
inline constexpr Nanoseconds kLookGap = std::chrono::seconds(10);
/// Until a session that has nothing to send is asked again.
inline constexpr Nanoseconds kIdle = std::chrono::milliseconds(10);

/// What the maps say of a session.
struct SessionView {
  bool paused = false;
  bool down = false;
  bool peer_known = false;  ///< its MAC address is
  bool rival = false;       ///< another MAC address was said to be the target's a moment ago
  bool is_signed = false;   ///< only its own answers count, so a search is no heartbeat
  std::uint64_t unanswered = 0;
  Nanoseconds interval{};
};

/// Which frames the session has.
struct FramesThere {
  bool heartbeat = false;  ///< false: it listens for its peer (silence)
  bool search = false;
  bool refresh = false;
};

/// Times of one session; {} before the first beat.
struct Beat {
  MonotonicTime next{};
  MonotonicTime last_search{};
  MonotonicTime last_look{};
  MonotonicTime last_refresh{};
};

/// In the order in which they leave.
struct Due {
  bool search = false;
  bool look = false;  ///< the same frame, beside the heartbeat
  bool heartbeat = false;
  bool refresh = false;
  Nanoseconds late{};    ///< of a beat
  MonotonicTime next{};  ///< when to ask again
};

namespace detail {

/// At most once in `gap`.
inline bool once_in(Nanoseconds gap, MonotonicTime& last, MonotonicTime now) {
  if (now - last < gap) return false;
  last = now;
  return true;
}

}  // namespace detail

/// Decides for one session. A peer that fell silent is searched for, because it may have come back
/// with another address; a search takes the place of that beat's heartbeat, but beside one that is
/// signed.
[[nodiscard]] inline Due due_now(Beat& beat, const FramesThere& there, const SessionView& session,
                                 MonotonicTime now) {
  Due due{.next = now + kIdle};
  if (session.paused) {
    beat.next = {};
    return due;
  }
  if (!there.heartbeat) {
    due.search = there.search && (!session.peer_known || session.down) &&
                 detail::once_in(kSearchGap, beat.last_search, now);
    return due;
  }
  const Nanoseconds interval = session.interval;
  // Beats of one interval fall together, so that several sessions share a wake-up.
  if (beat.next == MonotonicTime{})
    beat.next = MonotonicTime(now.time_since_epoch() / interval * interval + interval);
  beat.next = std::min(beat.next, now + interval);  // the interval became shorter
  due.next = beat.next;
  if (now < beat.next) return due;
  due.late = now - beat.next;
  const bool missing = session.unanswered >= 2;
  due.search = there.search && (!session.peer_known || (missing && !session.is_signed)) &&
               detail::once_in(kSearchGap, beat.last_search, now);
  due.heartbeat = !due.search && session.peer_known;
  const Nanoseconds look_gap = session.rival || missing ? kSearchGap : kLookGap;
  due.look = due.heartbeat && there.search && (session.unanswered == 0 || missing) &&
             now - beat.last_search >= look_gap && detail::once_in(look_gap, beat.last_look, now);
  due.refresh =
      due.heartbeat && there.refresh && detail::once_in(kRefreshGap, beat.last_refresh, now);
  beat.next += interval;
  // Held up: no burst afterwards, and not two at one moment (bpf/pacer.bpf.h, pace_after).
  if (beat.next <= now)
    beat.next = now + interval;
  else
    beat.next = std::max(beat.next, now + interval / 2);
  due.next = beat.next;
  return due;
}

}  // namespace hanet::engine
