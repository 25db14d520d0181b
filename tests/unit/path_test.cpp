// SPDX-License-Identifier: Apache-2.0
//
// What a path's ports and sessions say about its health (M4, M6).
//
// The table is complete: every combination of presence, administrative state, carrier and session
// is compared with rules that are written down here once more, in the words of the specification,
// so that a change of path.cpp has to be made twice to go unnoticed.
#include "policy/path.h"

#include <gtest/gtest.h>

#include <array>

namespace hanet::policy {
namespace {

constexpr std::array kCarriers{std::optional<bool>{}, std::optional<bool>{true},
                               std::optional<bool>{false}};
constexpr std::array kSessions{SessionState::Unknown, SessionState::Up, SessionState::Down,
                               SessionState::Paused};

PathState path_with(const PortState& port, bool watched = true) {
  PathState path;
  path.ports = {port};
  path.watched = watched;
  return path;
}

template <typename Check>
void for_every_port_state(const Check& check) {
  for (const bool present : {true, false})
    for (const bool admin_up : {true, false})
      for (const std::optional<bool> carrier : kCarriers)
        for (const SessionState session : kSessions)
          check(PortState{
              .present = present, .admin_up = admin_up, .carrier = carrier, .session = session});
}

TEST(PathHealth, M4_TheMostDirectReasonIsTheOneThatIsGiven) {
  int seen = 0;
  for_every_port_state([&](const PortState& port) {
    const DownReason reason = down_reason(path_with(port));
    DownReason expected = DownReason::None;
    if (port.session == SessionState::Down) expected = DownReason::HeartbeatLost;
    if (port.carrier.has_value() && !*port.carrier) expected = DownReason::CarrierLost;
    if (!port.admin_up) expected = DownReason::AdminDown;
    if (!port.present) expected = DownReason::InterfaceGone;
    EXPECT_EQ(reason, expected);
    ++seen;
  });
  EXPECT_EQ(seen, 2 * 2 * 3 * 4);
}

TEST(PathHealth, M6_AWatchedPathIsUpOnlyWhenItsHeartbeatsProveIt) {
  for_every_port_state([](const PortState& port) {
    const PathState path = path_with(port);
    Health expected = port.session == SessionState::Up ? Health::Up : Health::Unknown;
    if (down_reason(path) != DownReason::None) expected = Health::Down;
    EXPECT_EQ(health_of(path), expected);
  });
}

TEST(PathHealth, M3_NothingHeardBecauseNothingWasSentIsNotDown) {
  EXPECT_EQ(health_of(path_with(PortState{})), Health::Unknown);
  EXPECT_EQ(health_of(path_with(PortState{.carrier = true, .session = SessionState::Paused})),
            Health::Unknown);
}

TEST(PathHealth, F1_AnIdleColdPathSaysNothingOfItselfUnlessItIsGone) {
  for_every_port_state([](const PortState& port) {
    const PathState path = path_with(port, false);
    EXPECT_EQ(health_of(path), port.present ? Health::Unknown : Health::Down);
    EXPECT_EQ(down_reason(path), port.present ? DownReason::None : DownReason::InterfaceGone);
  });
}

TEST(PathHealth, O3_EveryStateHasAWordOfItsOwn) {
  EXPECT_EQ(to_text(Health::Up), "up");
  EXPECT_EQ(to_text(Health::Down), "down");
  EXPECT_EQ(to_text(Health::Unknown), "unknown");
  EXPECT_EQ(to_text(DownReason::CarrierLost), "carrier lost");
  EXPECT_EQ(to_text(DownReason::HeartbeatLost), "heartbeat lost");
  EXPECT_EQ(to_text(DownReason::AdminDown), "administratively down");
  EXPECT_EQ(to_text(DownReason::InterfaceGone), "interface gone");
  EXPECT_EQ(to_text(SessionState::Paused), "paused");
}

}  // namespace
}  // namespace hanet::policy
