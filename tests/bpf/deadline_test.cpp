// SPDX-License-Identifier: Apache-2.0
//
// The verdict is the kernel's: enough unanswered requests and enough time, never one alone (M3).
//
// The timers really run. What must happen is awaited; what must not happen has a witness: a second
// session, begun later, whose verdict came meanwhile. Nothing asserts how late a timer was.
#include "scene.h"
#include "stall_witness.h"

namespace hanet::bpf_test {
namespace {

using engine::load;
using namespace std::chrono_literals;

constexpr std::uint32_t kShortUs = 1000;
constexpr std::uint32_t kLongUs = HANET_INTERVAL_MAX_US;

class Deadline : public Scene {
 protected:
  /// Waits for one more verdict; the kernel side counts it after it wrote what it saw.
  bool comes_down(std::uint32_t index = 0) {
    ++verdicts_[index];
    return await([&] { return load(session(index).down_verdicts) == verdicts_[index]; }) &&
           load(session(index).state) == HANET_SESSION_DOWN;
  }
  void send_many(int count, std::uint32_t index = 0) {
    stall.forget();  // what follows has to be in time
    for (int i = 0; i < count; ++i) send(Beat::EchoIpv4, index);
  }
  /// A session that was started and sent after the one under test, and has its verdict now.
  void witness_goes_down(std::uint32_t interval_us = 5 * kShortUs) {
    set_params(1, interval_us, 3, 1);
    watch(Beat::EchoIpv4, 1);
    send_many(3, 1);
    ASSERT_TRUE(comes_down(1)) << "the witness";
  }
  void become_up() {
    ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4)).verdict, kXdpDrop);
    ASSERT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UP});
    static_cast<void>(p->events());
  }

  test::StallWitness stall;

 private:
  std::array<std::uint64_t, 2> verdicts_{};
};

TEST_F(Deadline, M3_ComesWhenTheMultiplierOfRequestsStoodUnanswered) {
  set_params(0, kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  become_up();
  send_many(3);
  ASSERT_TRUE(comes_down());
  ASSERT_TRUE(await([&] { return load(p->accounts[0].events_submitted) == 2; }));
  const hanet_session& one = session();
  EXPECT_EQ(one.down_verdicts, 1U);
  EXPECT_EQ(one.first_lost_ns, one.window[2].sent_ns) << "the oldest unanswered request";
  EXPECT_EQ(one.deadline_ns, one.first_lost_ns + 3 * kShortUs * 1000ULL);
  EXPECT_GE(one.verdict_ns, one.deadline_ns) << "never early";
  const std::vector<hanet_event> events = p->events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, std::uint32_t{HANET_EVENT_SESSION_DOWN});
  EXPECT_EQ(events[0].group, 0U);
  EXPECT_EQ(one.state_since_ns, one.verdict_ns);
  EXPECT_EQ(one.sent - one.answered, 3U);
}

TEST_F(Deadline, M3_ASenderThatStalledIsNoReasonForAVerdict) {
  set_params(0, kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  send_many(2);
  witness_goes_down();
  p->loopback_is(0);
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UNKNOWN});
  send_many(1);
  EXPECT_TRUE(comes_down()) << "with the third request it is due, and the timer still runs";
  EXPECT_EQ(session().first_lost_ns, session().window[1].sent_ns);
}

TEST_F(Deadline, M3_ManyRequestsAtOnceAreNoReasonBeforeTheDetectionTime) {
  set_params(0, kLongUs, 3, 1);
  watch(Beat::EchoIpv4);
  send_many(40);
  witness_goes_down();
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UNKNOWN});
  EXPECT_EQ(load(session().down_verdicts), 0U);
}

// The timer was armed for the shorter time and fires; what counts is the time in force now.
TEST_F(Deadline, D4_ALongerDetectionTimeHoldsForRequestsThatAreOutAlready) {
  set_params(0, 50 * kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  send_many(3);
  engine::store(session().interval_us, kLongUs);
  if (load(session().down_verdicts) != 0)
    EXCUSE_OR_FAIL(stall, 50ms, "the verdict came before the test had done its part");
  witness_goes_down(60 * kShortUs);
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UNKNOWN});
}

TEST_F(Deadline, M3_D4_NoVerdictComesBeforeADeadlineThatMovedAway) {
  set_params(0, 20 * kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  send_many(3);
  engine::store(session().interval_us, 35 * kShortUs);
  ASSERT_TRUE(comes_down());
  EXPECT_GE(session().verdict_ns, session().deadline_ns);
}

TEST_F(Deadline, M3_AReplyAnswersEverythingBeforeIt) {
  set_params(0, 50 * kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  session().state = HANET_SESSION_UP;
  send_many(3);
  ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4)).verdict, kXdpDrop);
  EXPECT_EQ(load(session().answered), 4U);
  if (load(session().down_verdicts) != 0)
    EXCUSE_OR_FAIL(stall, 50ms, "the verdict came before the test had done its part");
  witness_goes_down(60 * kShortUs);
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_UP});
  EXPECT_EQ(load(session().down_verdicts), 0U);
}

TEST_F(Deadline, M3_TheDeadlineMovesToTheOldestRequestThatIsStillOwed) {
  set_params(0, 20 * kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  const net::Frame first = reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4);
  send_many(3);
  ASSERT_EQ(p->xdp(first).verdict, kXdpDrop);
  ASSERT_TRUE(comes_down());
  EXPECT_EQ(session().first_lost_ns, session().window[2].sent_ns);
  EXPECT_EQ(session().answered, 1U);
}

TEST_F(Deadline, M3_MoreLossesThanTheWindowHoldsAreStillOneVerdict) {
  set_params(0, 20 * kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  send_many(HANET_WINDOW + 10);
  ASSERT_TRUE(comes_down());
  EXPECT_EQ(session().down_verdicts, 1U);
  EXPECT_EQ(session().first_lost_ns, session().window[11 % HANET_WINDOW].sent_ns)
      << "the oldest that is remembered";
}

TEST_F(Deadline, M3_APausedSessionHasNoVerdict) {
  set_params(0, 50 * kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  send_many(3);
  engine::store(session().state, HANET_SESSION_PAUSED);
  if (load(session().down_verdicts) != 0)
    EXCUSE_OR_FAIL(stall, 50ms, "the verdict came before the test had done its part");
  witness_goes_down(60 * kShortUs);
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_PAUSED});
  EXPECT_EQ(load(session().down_verdicts), 0U);
}

TEST_F(Deadline, M8_APathThatCameBackMayFailAgain) {
  set_params(0, kShortUs, 3, 2);
  watch(Beat::EchoIpv4);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    send_many(3);
    ASSERT_TRUE(comes_down());
    ASSERT_EQ(session().down_verdicts, round);
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4)).verdict, kXdpDrop);
      EXPECT_EQ(load(session().state),
                std::uint32_t{i == 0 ? HANET_SESSION_DOWN : HANET_SESSION_UP});
    }
    ASSERT_EQ(session().up_verdicts, round);
  }
}

// The sender is always one request ahead, so no request finds everything before it answered, and
// after a verdict no timer is left: only the reply can arm one.
TEST_F(Deadline, M3_M8_AReplyArmsTheDeadlineWhereOneRequestIsAlwaysOpen) {
  set_params(0, kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  become_up();
  send_many(3);
  ASSERT_TRUE(comes_down());
  const net::Frame asked = send(Beat::EchoIpv4);
  send(Beat::EchoIpv4);
  ASSERT_EQ(p->xdp(reply_to(asked, Beat::EchoIpv4)).verdict, kXdpDrop);
  ASSERT_EQ(load(session().up_verdicts), 2U);
  send_many(2);
  EXPECT_TRUE(comes_down()) << "up, and nobody watches";
}

// The answer to the oldest lost request leaves no gap, so only the verdict can begin the count
// anew.
TEST_F(Deadline, M3_M8_RepliesBeforeAVerdictDoNotCountTowardsUpAfterIt) {
  set_params(0, kShortUs, 3, 3);
  watch(Beat::EchoIpv4);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(p->xdp(reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4)).verdict, kXdpDrop);
  ASSERT_EQ(load(session().up_verdicts), 1U);
  const net::Frame oldest = send(Beat::EchoIpv4);
  send_many(2);
  ASSERT_TRUE(comes_down());
  ASSERT_EQ(p->xdp(reply_to(oldest, Beat::EchoIpv4)).verdict, kXdpDrop);
  EXPECT_EQ(load(session().state), std::uint32_t{HANET_SESSION_DOWN});
  EXPECT_EQ(load(session().replies_in_row), 1U);
}

// The timer is armed for a long detection time; then the time in force becomes so short that the
// timer comes as late as after a machine that stood still.
TEST_F(Deadline, M3_ATimerThatComesVeryLateLooksASecondTime) {
  set_params(0, 30 * kShortUs, 3, 1);
  watch(Beat::EchoIpv4);
  become_up();
  send_many(3);
  engine::store(session().interval_us, kShortUs);
  ASSERT_TRUE(comes_down()) << "a stall delays, it does not forgive";
  EXPECT_EQ(session().stall_deferrals, 1U);
  EXPECT_EQ(session().down_verdicts, 1U);
}

// A quarter of the detection time is more than an interval here, and the kernel side remembers
// HANET_WINDOW requests.
TEST_F(Deadline, M3_ASecondLookIsHadOnceHoweverManyRequestsLeaveMeanwhile) {
  set_params(0, 30 * kShortUs, 8, 1);
  watch(Beat::EchoIpv4);
  become_up();
  send(Beat::EchoIpv4);  // arms the timer
  // In force without a word: new parameters that are noticed arm it anew.
  engine::store(session().interval_us, kShortUs);
  set_params(0, kShortUs, 8, 1);
  send_many(HANET_WINDOW);
  ASSERT_TRUE(await([&] {
    send(Beat::EchoIpv4);
    return load(session().down_verdicts) == 1;
  })) << "a stall delays, it does not forgive";
  EXPECT_EQ(session().stall_deferrals, 1U);
}

}  // namespace
}  // namespace hanet::bpf_test
