// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats of kind hanet between two hosts (M1, S3): signed, answered by the other end's kernel
// side, whether a hanetd with groups runs there or `hanetd --responder`.
//
// Keys are changed as an administrator does it: a file is written, hanetctl reload. That none is
// missed meanwhile is counted by the kernel side, and that heartbeats went on is the witness.
#include <fmt/format.h>

#include <algorithm>

#include "hanet/abi.h"
#include "netns/signed_pair.h"
#include "netns/sniffer.h"
#include "netns/speaker.h"

namespace hanet::test {
namespace {

constexpr net::MacAddress kForger{0x02, 0x00, 0x00, 0x00, 0x66, 0x01};

TEST_F(SignedPair, M1_F8_ASilentCutEndsWithBothEndsOnTheOtherPath) {
  ASSERT_NO_FATAL_FAILURE(begin(kOldKey, kOldKey));
  ASSERT_TRUE(all_ready());
  const SeenIdentity before = identity_on(lab().netns("a"), "p0");
  for (const auto& daemon : daemons()) {
    EXPECT_EQ(daemon->session("p0").at("kind"), "hanet");
    EXPECT_GT(daemon->path("p0").at("port").at("answered_heartbeats"), 0);
    EXPECT_EQ(daemon->path("p0").at("port").at("asked_by").at(0).at("path"), "up");
  }
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(all_ready());
}

TEST_F(SignedPair, F8_S3_ASwitchByHandIsFollowedByWhatSignedAnswersSay) {
  ASSERT_NO_FATAL_FAILURE(begin(kOldKey, kOldKey));
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(daemons().at(1)->ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  EXPECT_TRUE(all_on("p1"));
  EXPECT_EQ(host().switchovers().back().at("cause"), "the peer is elsewhere");
}

TEST_F(SignedPair, S3_KeysAreExchangedWithoutAMissedHeartbeat) {
  ASSERT_NO_FATAL_FAILURE(begin(kOldKey, kOldKey));
  ASSERT_TRUE(all_ready());
  struct Count {
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;
  };
  const auto count = [&] {
    Count all;
    for (const auto& daemon : daemons())
      for (const std::string port : {"p0", "p1"}) {
        const json session = daemon->session(port);
        all.sent += session.at("sent").get<std::uint64_t>();
        all.lost += session.at("lost").get<std::uint64_t>();
      }
    return all;
  };
  const auto heartbeats_go_on = [&] {
    const std::uint64_t sent = count().sent;
    return await("heartbeats", [&] { return count().sent > sent + 200; });
  };
  const Count before = count();
  std::string now = kOldKey;
  std::string next = kNewKey;
  for (int exchange = 0; exchange < 3; ++exchange, std::swap(now, next))
    for (const std::string& keys : {now + next, next + now, next})
      for (const auto& daemon : daemons()) {
        ASSERT_NO_FATAL_FAILURE(write_keys(daemon->node(), keys));
        const bench::Output reloaded = daemon->ctl({"reload"});
        ASSERT_EQ(reloaded.exit_code, 0) << reloaded.out << reloaded.error;
        EXPECT_NE(reloaded.out.find("no heartbeat is lost"), std::string::npos) << reloaded.out;
        EXPECT_EQ(daemon->group().at("keys").size(), keys.size() / kOldKey.size());
        ASSERT_TRUE(heartbeats_go_on());
      }
  EXPECT_EQ(count().lost, before.lost);
  for (const auto& daemon : daemons()) {
    EXPECT_EQ(daemon->session("p0").at("down_verdicts"), 0);
    EXPECT_EQ(rejected(*daemon, "p0", "unknown_key"), 0U);
  }
  // The witness: an end that is left behind by one step is heard no more.
  ASSERT_NO_FATAL_FAILURE(write_keys("b", next));
  ASSERT_EQ(daemons().at(1)->ctl({"reload"}).exit_code, 0);
  EXPECT_TRUE(await("its heartbeats count for nothing",
                    [&] { return rejected(host(), "p0", "unknown_key") > 10; }));
}

TEST_F(SignedPair, S3_O8_AKeyFileThatIsWrongIsRefusedAndTheOldKeysGoOn) {
  ASSERT_NO_FATAL_FAILURE(begin(kOldKey, kOldKey));
  ASSERT_TRUE(all_ready());
  const json keys = host().group().at("keys");
  ASSERT_NO_FATAL_FAILURE(write_keys("a", "0001\n"));
  const bench::Output short_key = host().ctl({"reload"});
  EXPECT_NE(short_key.exit_code, 0);
  EXPECT_NE(short_key.error.find(keys_of("a").string() +
                                 ":1: found 4 hexadecimal digits, allowed: a key: 32 hexadecimal "
                                 "digits"),
            std::string::npos)
      << short_key.error;
  ASSERT_NO_FATAL_FAILURE(write_keys("a", kNewKey));
  ASSERT_EQ(::chmod(keys_of("a").c_str(), 0644), 0);
  EXPECT_NE(host().ctl({"reload"}).error.find("found mode 0644"), std::string::npos);
  EXPECT_EQ(host().group().at("keys"), keys);
  EXPECT_EQ(host().session("p0").at("state"), "up");
}

TEST_F(SignedPair, S3_WithAnotherKeyNoPathIsProvedAndBothEndsSayWhy) {
  ASSERT_NO_FATAL_FAILURE(begin(kOldKey, kNewKey));
  for (const auto& daemon : daemons()) {
    EXPECT_TRUE(await("the other end's heartbeats are counted on " + daemon->node(), [&] {
      return daemon->ask({"status"}).is_object() && rejected(*daemon, "p0", "unknown_key") > 100;
    }));
    EXPECT_TRUE(await("it is told", [&] {
      return daemon->log().contains("made with a key which is not in the key file");
    })) << daemon->log();
    EXPECT_EQ(daemon->session("p0").at("received"), 0);
    EXPECT_NE(daemon->path("p0").at("health"), "up");
    EXPECT_TRUE(daemon->switchovers().empty());
    EXPECT_EQ(daemon->path("p0").at("port").at("answered_heartbeats"), 0);
  }
  ASSERT_NO_FATAL_FAILURE(write_keys("b", kOldKey));
  ASSERT_EQ(daemons().at(1)->ctl({"reload"}).exit_code, 0);
  EXPECT_TRUE(all_ready()) << "the witness: with the same key both paths are";
}

class Responding : public SignedPair {
 protected:
  void build_with_responder(const std::string& keys) {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    ASSERT_NO_FATAL_FAILURE(write_keys("client", keys));
    ASSERT_NO_FATAL_FAILURE(write_keys("host", kOldKey));
    responder_ = std::make_unique<Hanet>(
        lab(), "client", "",
        Arguments{"--responder", "--interface", "c0", "--key-file", keys_of("client").string()});
    responder_->start();
    ASSERT_TRUE(await("the responder serves", [&] {
      return responder_->ask({"status"}).is_object();
    })) << responder_->log();
  }
  void TearDown() override {
    if (HasFailure() && responder_) fmt::print("--- the responder wrote:\n{}", responder_->log());
    responder_.reset();
    SignedPair::TearDown();
  }
  json answering() const { return responder_->ask({"status"}).at("responder").at("ports").at(0); }
  std::string client_mac() const { return net::to_text(link_of(lab().netns("client"), "c0").mac); }

  std::unique_ptr<Hanet> responder_;
};

struct Target {
  const char* name;
  const char* lines;  ///< of the configuration; "@" is the responder's MAC address
};
void PrintTo(const Target& target, std::ostream* out) { *out << target.lines; }

class RespondingTo : public Responding, public testing::WithParamInterface<Target> {};

TEST_P(RespondingTo, M1_AnyLinuxHostIsAPeerByAResponderAlone) {
  ASSERT_NO_FATAL_FAILURE(build_with_responder(kOldKey));
  std::string target = GetParam().lines;
  if (const std::size_t at = target.find('@'); at != std::string::npos)
    target.replace(at, 1, client_mac());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  start_with(config_of("host", {}, target));
  ASSERT_TRUE(all_ready());
  EXPECT_EQ(host().session("p0").at("target_mac"), client_mac());
  const json port = answering();
  EXPECT_EQ(port.at("asked_by").size(), 2U) << port.dump(2);
  EXPECT_GT(port.at("answered_heartbeats"), 0);
  EXPECT_TRUE(port.at("rejected").empty()) << port.dump(2);

  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_NO_FATAL_FAILURE(expect_moved(before));
  EXPECT_EQ(host().switchovers().at(0).at("cause"), "heartbeat lost");
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(all_ready());
}

INSTANTIATE_TEST_SUITE_P(FoundBy, RespondingTo,
                         testing::Values(Target{"Ipv4Address", "target = \"192.0.2.10\"\n"},
                                         Target{"Ipv6Address", "target = \"2001:db8::10\"\n"},
                                         Target{"MacAddress", "target_mac = \"@\"\n"}),
                         [](const auto& cell) { return std::string(cell.param.name); });

TEST_F(Responding, O1_AnInterfaceThatIsNotHereYetIsAnsweredAtOnceItIs) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  for (const char* node : {"client", "host"}) ASSERT_NO_FATAL_FAILURE(write_keys(node, kOldKey));
  ASSERT_DONE(lab().ip("client", "link set c0 down"));
  ASSERT_DONE(lab().ip("client", "link set c0 name late0"));
  responder_ = std::make_unique<Hanet>(lab(), "client", "",
                                       Arguments{"--responder", "--wait", "--interface", "c0",
                                                 "--key-file", keys_of("client").string()});
  responder_->start();
  ASSERT_TRUE(await("it says so", [&] { return responder_->log().contains("c0 is not here yet"); }))
      << responder_->log();
  EXPECT_FALSE(answering().at("present"));
  ASSERT_DONE(lab().ip("client", "link set late0 name c0"));
  ASSERT_DONE(lab().ip("client", "link set c0 up"));
  ASSERT_TRUE(await("it is here", [&] { return answering().at("present") == true; }))
      << responder_->log();
  start_with(config_of("host"));
  EXPECT_TRUE(all_ready());
  EXPECT_EQ(host().session("p0").at("target_mac"), client_mac());
}

TEST_F(Responding, M12_TheAnswersNeedNoProcess) {
  ASSERT_NO_FATAL_FAILURE(build_with_responder(kOldKey));
  start_with(config_of("host"));
  ASSERT_TRUE(all_ready());
  responder_->freeze();
  ASSERT_TRUE(await("it stands still", [&] { return responder_->frozen(); }));
  const std::uint64_t received = host().session("p0").at("received");
  EXPECT_TRUE(
      await("answers", [&] { return host().session("p0").at("received") > received + 300; }));
  EXPECT_EQ(host().session("p0").at("down_verdicts"), 0);
  EXPECT_TRUE(responder_->frozen());
  responder_->thaw();
}

TEST_F(Responding, M1_ItFollowsItsInterfaceAndItsKeyFile) {
  ASSERT_NO_FATAL_FAILURE(build_with_responder(kNewKey));
  start_with(config_of("host"));
  EXPECT_TRUE(await("requests with a foreign key are counted",
                    [&] { return answering().at("rejected").value("unknown_key", 0) > 100; }));
  EXPECT_EQ(answering().at("answered_heartbeats"), 0);
  ASSERT_NO_FATAL_FAILURE(write_keys("client", kNewKey + kOldKey));
  const bench::Output reloaded = responder_->ctl({"reload"});
  ASSERT_EQ(reloaded.exit_code, 0) << reloaded.error;
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().ip("client", "link set c0 address 02:00:00:00:99:01"));
  EXPECT_TRUE(await("the new address is asked and answers", [&] {
    return host().session("p0").at("target_mac") == "02:00:00:00:99:01" &&
           host().path("p0").at("health") == "up";
  }));
  EXPECT_NE(responder_->ctl({"switch", "mether0", "--to", "p1"}).exit_code, 0);
  EXPECT_EQ(responder_->stop(), 0);
  EXPECT_TRUE(
      await("nobody answers any more", [&] { return host().path("p0").at("health") == "down"; }));
}

TEST_F(Responding, M1_HeartbeatsHaveTheEtherTypeThatBothEndsHave) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  for (const char* node : {"client", "host"}) ASSERT_NO_FATAL_FAILURE(write_keys(node, kOldKey));
  const Sniffer wire(lab().netns("client"), "c0");
  responder_ =
      std::make_unique<Hanet>(lab(), "client", "",
                              Arguments{"--responder", "--interface", "c0", "--key-file",
                                        keys_of("client").string(), "--ether-type", "0x9abc"});
  responder_->start();
  start_with(config_of("host"));
  ASSERT_TRUE(await("it asks with the usual one", [&] {
    return wire.count([](const SeenFrame& frame) { return frame.type == HANET_BEAT_TYPE; }) > 20;
  }));
  EXPECT_NE(host().session("p0").at("state"), "up") << "nobody understands it";
  EXPECT_EQ(host().stop(), 0);
  daemons().clear();
  start_with(config_of("host", {}, "target = \"192.0.2.10\"\nether_type = 0x9abc\n"));
  ASSERT_TRUE(all_ready());
  EXPECT_GT(wire.count([](const SeenFrame& frame) { return frame.type == 0x9abc; }), 0U);
  EXPECT_EQ(answering().at("asked_by").size(), 2U);
  ASSERT_DONE(lab().fault("blackhole"));
  EXPECT_TRUE(all_on("p1"));
}

// From the client's cable: forged requests and answers, a thousand a second of each.
TEST_F(Responding, S3_ForgedHeartbeatsMoveNothingAndAreNeverAnswered) {
  ASSERT_NO_FATAL_FAILURE(build_with_responder(kOldKey));
  start_with(config_of("host"));
  ASSERT_TRUE(all_ready());
  const net::MacAddress probe =
      *net::parse_mac(host().path("p0").at("port").at("probe_mac").get<std::string>());
  const Sniffer wire(lab().netns("client"), "c0");
  const auto signed_frames = [&](const SeenFrame& frame) {
    return frame.type == HANET_BEAT_TYPE && frame.source == probe && frame.payload.size() >= 50;
  };
  ASSERT_TRUE(
      await("an answered request to learn from", [&] { return wire.count(signed_frames) > 10; }));
  const SeenFrame seen = wire.frames(signed_frames).front();
  const auto forged = [&](std::uint8_t kind) {
    net::Frame frame(14 + 50);
    std::ranges::copy(probe, frame.begin());
    std::ranges::copy(kForger, frame.begin() + 6);
    frame[12] = HANET_BEAT_TYPE >> 8;
    frame[13] = HANET_BEAT_TYPE & 0xff;
    std::copy_n(seen.payload.begin(), 50, frame.begin() + 14);
    frame[15] = kind;
    return frame;
  };
  const Speaker asks(lab().netns("client"), "c0", forged(HANET_BEAT_REQUEST));
  const Speaker answers(lab().netns("client"), "c0", forged(HANET_BEAT_ANSWER));
  EXPECT_TRUE(
      await("they are counted", [&] { return rejected(host(), "p0", "wrong_tag") > 1000; }));
  EXPECT_EQ(wire.count([](const SeenFrame& frame) { return frame.destination == kForger; }), 0U);
  EXPECT_EQ(host().path("p0").at("port").at("answered_heartbeats"), 0);
  EXPECT_EQ(host().session("p0").at("down_verdicts"), 0);
  EXPECT_EQ(host().session("p0").at("target_mac"), client_mac());
  EXPECT_TRUE(host().switchovers().empty());
}

}  // namespace
}  // namespace hanet::test
