// SPDX-License-Identifier: Apache-2.0
//
// Which frames answer a request, and which change nothing (M1, D6).
//
// Every case of the packet table runs through xdp_ingress and through tc_ingress, which matches
// replies where XDP is taken. A frame that must not count has a witness: exactly one counter moved,
// or, for frames that are not addressed to a probe, the verdict of a program that really ran.
#include <sys/socket.h>

#include <algorithm>

#include "reply_cases.h"

namespace hanet::bpf_test {
namespace {

enum class Hook { Xdp, Tc };

void PrintTo(Hook hook, std::ostream* out) { *out << (hook == Hook::Xdp ? "XDP" : "TC"); }

class Reply : public Scene, public testing::WithParamInterface<std::tuple<Hook, ReplyCase>> {
 protected:
  [[nodiscard]] Stage stage() const override { return {.shared = true}; }
  /// 5 requests sent, 1 lost, 2 answered; returns the reply to number 4 (or to the newest).
  net::Frame prepare(Beat beat) {
    watch(beat);
    add_foreign_sessions(beat);
    send(beat);
    const net::Frame second = reply_to(send(beat), beat);
    EXPECT_EQ(p->xdp(second).verdict, kXdpDrop);
    EXPECT_EQ(progress().answered, 2U) << "the scene is ready";
    send(beat);
    const net::Frame fourth = reply_to(send(beat), beat);
    send(beat);
    return fourth;
  }

  Outcome run(Hook hook, const net::Frame& frame) {
    return hook == Hook::Xdp ? p->xdp(frame) : p->tc_ingress(frame);
  }
  static std::uint32_t passed(Hook hook) { return hook == Hook::Xdp ? kXdpPass : kTcPass; }
  static std::uint32_t used_up(Hook hook) { return hook == Hook::Xdp ? kXdpDrop : kTcDrop; }

  void expect_nothing(Hook hook, const net::Frame& frame, int reason) {
    const Progress before = progress();
    Rejects expected = rejects();
    if (reason >= 0) ++expected[static_cast<std::size_t>(reason)];
    const std::uint8_t answers = static_cast<std::uint8_t>(port().answered_for_neighbours);
    const Outcome result = run(hook, frame);
    EXPECT_EQ(result.verdict, passed(hook));
    EXPECT_EQ(result.frame, frame) << "what is not ours passes untouched";
    EXPECT_EQ(progress(), before);
    EXPECT_EQ(rejects(), expected);
    EXPECT_EQ(port().answered_for_neighbours, answers);
  }

 private:
  void add_foreign_sessions(Beat beat) {
    for (const std::uint32_t index : {1U, 2U}) {
      hanet_session& foreign = session(index);
      foreign = session();
      foreign.id = 0x5e550000 + index;
      foreign.cookie = 0xc00c1e0000000000 + index;
    }
    session(1).port = 1;
    session(2).family = is_ipv6(beat) ? AF_INET : AF_INET6;
  }
};

TEST_P(Reply, M1_D6_HasTheOutcomeOfTheTable) {
  const auto& [hook, one] = GetParam();
  net::Frame frame = prepare(one.beat);
  one.change(frame);
  if (one.outcome != kCounts) {
    expect_nothing(hook, frame, one.outcome);
    return;
  }
  const Progress before = progress();
  const Rejects no_rejects = rejects();
  EXPECT_EQ(run(hook, frame).verdict, used_up(hook));
  EXPECT_GT(progress().answered, before.answered);
  EXPECT_EQ(progress().replies, before.replies + 1);
  EXPECT_EQ(rejects(), no_rejects);
}

std::vector<ReplyCase> whole_table() {
  std::vector<ReplyCase> cases = valid_cases();
  for (const auto& more : {shape_cases(), identity_cases()})
    cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

std::string name_of(const testing::TestParamInfo<std::tuple<Hook, ReplyCase>>& info) {
  const auto& [hook, one] = info.param;
  return one.name + (hook == Hook::Xdp ? "_Xdp" : "_Tc");
}

INSTANTIATE_TEST_SUITE_P(PacketTable, Reply,
                         testing::Combine(testing::Values(Hook::Xdp, Hook::Tc),
                                          testing::ValuesIn(whole_table())),
                         name_of);

class TruncatedReply : public Reply {};

// The shortest frame that the kernel lets a test run (net/bpf/test_run.c): an Ethernet header, and
// for TC the whole IP header.
std::size_t shortest(Hook hook, Beat beat) {
  if (hook == Hook::Xdp || beat == Beat::Arp) return kEthernetBytes;
  return is_ipv6(beat) ? kIcmpv6At : kIcmpAt;
}

// Only what lies inside the frame is believed.
TEST_P(TruncatedReply, M1_D6_ChangesNothingWhereverItIsCut) {
  const auto& [hook, one] = GetParam();
  const net::Frame whole = prepare(one.beat);
  int cuts = 0;
  for (std::size_t length = shortest(hook, one.beat); length < whole.size(); ++length, ++cuts) {
    SCOPED_TRACE("cut to " + std::to_string(length));
    expect_nothing(hook,
                   net::Frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)),
                   HANET_REJECT_TRUNCATED);
  }
  EXPECT_GE(cuts, 28);
  EXPECT_EQ(run(hook, whole).verdict, used_up(hook)) << "the witness: uncut it counts";
}

INSTANTIATE_TEST_SUITE_P(PacketTable, TruncatedReply,
                         testing::Combine(testing::Values(Hook::Xdp, Hook::Tc),
                                          testing::ValuesIn(valid_cases())),
                         name_of);

class OtherTraffic : public Reply {};

TEST_P(OtherTraffic, D6_PassesAPortThatNobodyWatches) {
  const auto& [hook, one] = GetParam();
  const net::Frame frame = prepare(one.beat);
  p->loopback_is_no_port();
  expect_nothing(hook, frame, kNotOurs);
}

TEST_P(OtherTraffic, D6_PassesWhileTheSessionIsTakenAway) {
  const auto& [hook, one] = GetParam();
  const net::Frame frame = prepare(one.beat);
  session().in_use = 0;
  expect_nothing(hook, frame, HANET_REJECT_WRONG_SESSION);
  session().in_use = 1;
  port().session = HANET_NONE;
  if (!is_echo(one.beat)) expect_nothing(hook, frame, HANET_REJECT_WRONG_SESSION);
}

INSTANTIATE_TEST_SUITE_P(PacketTable, OtherTraffic,
                         testing::Combine(testing::Values(Hook::Xdp, Hook::Tc),
                                          testing::ValuesIn(valid_cases())),
                         name_of);

}  // namespace
}  // namespace hanet::bpf_test
