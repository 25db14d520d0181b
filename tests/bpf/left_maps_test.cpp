// SPDX-License-Identifier: Apache-2.0
//
// What the next hanetd stores into a killed one's maps, by their pins (spec D7): who hears, who
// answers, who steers.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/engine.h"
#include "engine/left_engine.h"

namespace hanet::engine {
namespace {

constexpr unsigned kInterface = 77, kOther = 78;
constexpr std::uint32_t kPort = 3, kOtherPort = 4, kSession = 5, kOtherSession = 6;

class LeftMaps : public testing::Test {
 protected:
  void SetUp() override {
    auto engine = Engine::load({.pin_directory = directory_, .no_pacer_because = "in a test"});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
    write("ports", kPort, watched(kInterface));
    write("ports", kOtherPort, watched(kOther));
    write("sessions", kSession, heard(kPort));
    write("sessions", kOtherSession, heard(kOtherPort));
    hanet_steer way{};
    way.mode = HANET_STEER_BRIDGE_OUT;
    way.armed = 1;
    way.peer_port = kOtherPort;
    way.steered_ns = 9;
    write("steer", kPort, way);
    left_ = LeftEngine::open(directory_);
    ASSERT_TRUE(left_.goes_on());
  }
  template <typename T>
  void write(const char* map, std::uint32_t index, const T& value) {
    ASSERT_EQ(bpf_map_update_elem(pinned(map).get(), &index, &value, BPF_ANY), 0);
  }
  template <typename T>
  [[nodiscard]] T read(const char* map, std::uint32_t index) const {
    T value{};
    EXPECT_EQ(bpf_map_lookup_elem(pinned(map).get(), &index, &value), 0);
    return value;
  }
  [[nodiscard]] LeftEngine& left() { return left_; }

 private:
  static hanet_port watched(unsigned ifindex) {
    hanet_port port{};
    port.in_use = 1;
    port.ifindex = ifindex;
    port.replies_at_xdp = 1;
    port.answers_at_xdp = 1;
    return port;
  }
  static hanet_session heard(std::uint32_t port) {
    hanet_session session{};
    session.in_use = 1;
    session.port = port;
    session.heard_at_xdp = 1;
    return session;
  }
  [[nodiscard]] Fd pinned(const char* map) const {
    return Fd(bpf_obj_get((directory_ / map).c_str()));
  }

  std::filesystem::path directory_ = fmt::format("/sys/fs/bpf/hanet-left-{}", ::getpid());
  std::unique_ptr<Engine> engine_;
  LeftEngine left_;
};

TEST_F(LeftMaps, D7_M5_WhatComesInIsHeardAndAnsweredAtTcWhileXdpIsReplaced) {
  left().hear_at_tc(kInterface);
  EXPECT_EQ(read<hanet_port>("ports", kPort).replies_at_xdp, 0);
  EXPECT_EQ(read<hanet_port>("ports", kPort).answers_at_xdp, 0);
  EXPECT_EQ(read<hanet_session>("sessions", kSession).heard_at_xdp, 0);
  EXPECT_EQ(read<hanet_port>("ports", kOtherPort).replies_at_xdp, 1);
  EXPECT_EQ(read<hanet_port>("ports", kOtherPort).answers_at_xdp, 1);
  EXPECT_EQ(read<hanet_session>("sessions", kOtherSession).heard_at_xdp, 1);
}

TEST_F(LeftMaps, D7_WhoIsDisarmedBridgesNothingNewAndSaysWhatItSteers) {
  const auto before = left().disarm(kInterface);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->mode, HANET_STEER_BRIDGE_OUT);
  EXPECT_TRUE(before->is_armed);
  EXPECT_EQ(before->peer, kOther);
  EXPECT_EQ(before->since_ns, 9U);
  EXPECT_EQ(read<hanet_steer>("steer", kPort).armed, 0U);
  EXPECT_EQ(read<hanet_steer>("steer", kPort).mode, HANET_STEER_BRIDGE_OUT) << "it goes on";
  left().arm(kInterface);
  EXPECT_EQ(read<hanet_steer>("steer", kPort).armed, 1U);
  EXPECT_FALSE(left().disarm(79)) << "an interface that it does not watch";
}

// The next request is the oldest one that is not answered, so it arms the deadline.
TEST_F(LeftMaps, D7_WhatWasTakenOverGoesOnWhereItIsGivenBack) {
  auto asks = read<hanet_session>("sessions", kSession);
  asks.state = HANET_SESSION_DOWN;
  asks.sent = 12;
  asks.answered = 9;
  write("sessions", kSession, asks);
  const auto ended = left().end_sessions(kInterface);
  ASSERT_EQ(ended.size(), 1U);
  ASSERT_TRUE(left().disarm(kInterface));
  ASSERT_EQ(read<hanet_session>("sessions", kSession).state, HANET_SESSION_PAUSED);
  left().go_on(kOther);
  EXPECT_EQ(read<hanet_session>("sessions", kSession).state, HANET_SESSION_PAUSED);
  left().go_on(kInterface);
  EXPECT_EQ(read<hanet_session>("sessions", kSession).state, HANET_SESSION_DOWN);
  EXPECT_EQ(read<hanet_session>("sessions", kSession).answered, 12U);
  EXPECT_EQ(read<hanet_steer>("steer", kPort).armed, 1U);
}

TEST_F(LeftMaps, D7_WhatWasNeverArmedIsNotArmedWhereItIsGivenBack) {
  ASSERT_TRUE(left().disarm(kOther));
  left().go_on(kOther);
  EXPECT_EQ(read<hanet_steer>("steer", kOtherPort).armed, 0U);
}

// Nothing else arms its deadline than a frame that brings it up.
TEST_F(LeftMaps, D7_M5_WhoAsksNobodyHasToHearAnewWhereItIsGivenBack) {
  auto listens = read<hanet_session>("sessions", kSession);
  listens.kind = HANET_HEARTBEAT_SILENCE;
  listens.state = HANET_SESSION_UP;
  listens.counted_ns = 7;
  write("sessions", kSession, listens);
  ASSERT_EQ(left().end_sessions(kInterface).size(), 1U);
  left().go_on(kInterface);
  EXPECT_EQ(read<hanet_session>("sessions", kSession).state, HANET_SESSION_UNKNOWN);
  EXPECT_EQ(read<hanet_session>("sessions", kSession).counted_ns, 0U);
}

// Else it would answer, behind the new program, what that one has refused.
TEST_F(LeftMaps, D7_S3_WhoSteersNoMoreAnswersNobody) {
  left().hear_at_tc(kInterface);
  EXPECT_TRUE(left().end_steering(kInterface));
  EXPECT_EQ(read<hanet_steer>("steer", kPort).mode, HANET_STEER_NONE);
  EXPECT_EQ(read<hanet_steer>("steer", kPort).armed, 0U);
  EXPECT_EQ(read<hanet_port>("ports", kPort).answers_at_xdp, 1) << "where it has no program";
  EXPECT_FALSE(left().end_steering(79));
}

TEST_F(LeftMaps, D7_ItsProgramsAreKnownByTheirNumbers) {
  const auto written = read<hanet_engine>("engine", 0);
  EXPECT_NE(left().programs()[0], 0U);
  EXPECT_NE(left().programs()[0], left().programs()[1]);
  EXPECT_EQ(left().programs()[0], written.tc_programs[0]);
}

}  // namespace
}  // namespace hanet::engine
