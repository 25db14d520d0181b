// SPDX-License-Identifier: Apache-2.0
//
// Trunks on real packets: four ports to one switch, four to another, two LANs behind (M7, T1 to
// T5).
//
// A lost port inside the threshold must cost nothing but its own flows until the verdict, so each
// test looks at the wire of every port: which flows left by it, and as whom. Plain switches
// (independent) and switches that aggregate (static) are both there.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "netns/lab_test.h"
#include "netns/sniffer.h"

namespace hanet::test {
namespace {

using testing::Each;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint16_t kFirstFlow = 20000;
constexpr std::uint16_t kFlows = 32;
constexpr const char* kPrimary = "p0+p1+p2+p3";
constexpr const char* kStandby = "p4+p5+p6+p7";

/// UDP flows from the host to the client, told apart by their source ports.
class Flows {
 public:
  explicit Flows(const Lab& lab) : sink_(open(lab, "client", "192.0.2.10", 9100)) {
    for (std::uint16_t flow = 0; flow < kFlows; ++flow)
      sources_.push_back(
          open(lab, "host", "192.0.2.1", static_cast<std::uint16_t>(kFirstFlow + flow)));
  }
  void send() {
    const char word[] = "flow";
    for (const bench::UdpSocket& source : sources_)
      EXPECT_EQ(::sendto(source.fd.get(), word, sizeof(word), 0,
                         reinterpret_cast<const sockaddr*>(&sink_.address), sink_.address_length),
                static_cast<ssize_t>(sizeof(word)));
  }
  /// What came since the last call.
  std::size_t received() const {
    char word[64];
    std::size_t count = 0;
    while (::recv(sink_.fd.get(), word, sizeof(word), MSG_DONTWAIT) > 0) ++count;
    return count;
  }

 private:
  static bench::UdpSocket open(const Lab& lab, const std::string& node, const std::string& address,
                               std::uint16_t port) {
    Result<bench::UdpSocket> socket =
        bench::open_udp_socket({.netns = lab.netns(node), .address = address, .port = port});
    if (!socket) throw std::runtime_error(socket.error().message);
    return std::move(*socket);
  }
  bench::UdpSocket sink_;
  std::vector<bench::UdpSocket> sources_;
};

/// The flow that a frame belongs to; 0: none of ours.
std::uint16_t flow_of(const SeenFrame& frame) {
  if (frame.type != 0x0800 || frame.payload.size() < 28 || frame.payload[9] != 17) return 0;
  const auto port = static_cast<std::uint16_t>(frame.payload[20] << 8 | frame.payload[21]);
  return port >= kFirstFlow && port < kFirstFlow + kFlows ? port : 0;
}

class Trunk : public LabTest {
 protected:
  json trunk(const char* path = kPrimary) { return host().path(path).at("trunk"); }
  std::string reason_of(const std::string& port) {
    for (const char* path : {kPrimary, kStandby}) {
      const json ports = host().path(path).at("ports");
      for (const json& one : ports)
        if (one.at("name") == port) return one.at("reason");
    }
    throw std::runtime_error("there is no port " + port);
  }
  testing::AssertionResult knows_lost(const std::string& port) {
    return await(port + " is known to be lost", [&] { return !reason_of(port).empty(); });
  }
  testing::AssertionResult knows_working(std::size_t ports) {
    return await(fmt::format("{} ports work", ports),
                 [&] { return trunk().at("working") == ports; });
  }
  std::size_t switchovers() { return host().switchovers().size(); }

  /// Listens on the switch's end of the cables of the primary trunk.
  void listen() {
    wires_.clear();
    for (const char* port : {"host-p0", "host-p1", "host-p2", "host-p3"})
      wires_.push_back(std::make_unique<Sniffer>(lab().netns("mid"), port));
  }
  /// By which ports each flow left since listen(), once all flows were seen.
  std::map<std::uint16_t, std::set<std::size_t>> ways(Flows& flows) {
    std::map<std::uint16_t, std::set<std::size_t>> ways;
    flows.send();
    EXPECT_TRUE(await("every flow on the wire", [&] {
      ways.clear();
      for (std::size_t port = 0; port < wires_.size(); ++port)
        for (const SeenFrame& frame :
             wires_[port]->frames([](const SeenFrame& one) { return flow_of(one) != 0; }))
          ways[flow_of(frame)].insert(port);
      return ways.size() == kFlows;
    }));
    return ways;
  }
  std::vector<std::unique_ptr<Sniffer>> wires_;
};

TEST_F(Trunk, O1_T4_ARestartAfterASwitchoverChangesNoSettingOfAnyPort) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Trunk));
  // Two of the identity's that a port which waits in its place has not.
  inside(host_netns(), [] {
    std::ofstream("/proc/sys/net/ipv4/conf/p0/rp_filter") << 2;
    std::ofstream("/proc/sys/net/ipv4/conf/p4/log_martians") << 1;
  });
  ASSERT_NO_FATAL_FAILURE(start({}));
  ASSERT_TRUE(all_ready());
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p4"}).exit_code, 0) << host().log();
  ASSERT_EQ(sysctl(host_netns(), "ipv4/conf/p4/rp_filter"), "2") << "the witness: they moved";
  std::map<std::string, SeenSettings> before;
  for (int port = 0; port < 8; ++port) {
    const std::string name = fmt::format("p{}", port);
    before[name] = settings_on(host_netns(), name);
  }
  ASSERT_EQ(host().stop(), 0);
  host().start();
  ASSERT_TRUE(all_ready());
  for (const auto& [name, settings] : before)
    EXPECT_THAT(differences(settings, settings_on(host_netns(), name)), IsEmpty()) << name;
}

struct Loss {
  Topology topology;
  std::string fault;
  std::string port;
};

// NOLINTNEXTLINE(readability-identifier-naming): gtest looks for this name
void PrintTo(const Loss& loss, std::ostream* out) { *out << loss.fault << " of " << loss.port; }

class OneLostPort : public Trunk, public testing::WithParamInterface<Loss> {};

TEST_P(OneLostPort, M7_T2_T3_ATrunkStaysAndCarriesOnByItsOtherPorts) {
  const Loss& loss = GetParam();
  ASSERT_NO_FATAL_FAILURE(bring_up(loss.topology));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_TRUE(echo().reaches_every_address());
  ASSERT_DONE(lab().fault(loss.fault, loss.port));
  ASSERT_TRUE(knows_lost(loss.port));
  EXPECT_TRUE(knows_working(3));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_TRUE(carries("p0", before)) << "the identity was not touched";
  EXPECT_EQ(switchovers(), 0U);
  EXPECT_EQ(host().path(kPrimary).at("health"), "up");

  ASSERT_DONE(lab().heal(loss.port));
  EXPECT_TRUE(knows_working(4));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(switchovers(), 0U);
}

TEST_P(OneLostPort, T2_T5_TheSecondLostPortOfFourFailsOverAtFiftyPerCent) {
  const Loss& loss = GetParam();
  ASSERT_NO_FATAL_FAILURE(bring_up(loss.topology));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault(loss.fault, loss.port));
  ASSERT_TRUE(knows_lost(loss.port));
  ASSERT_TRUE(knows_working(3));
  EXPECT_EQ(host().active(), "p0") << "one of four is less than half";
  ASSERT_DONE(lab().fault(loss.fault, "p3"));
  ASSERT_TRUE(all_on("p4"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_TRUE(carries("p4", before));
  for (const char* port : {"p0", "p1", "p2", "p3", "p5", "p6", "p7"})
    EXPECT_TRUE(is_bare(port, before));
  ASSERT_EQ(switchovers(), 1U);
  EXPECT_THAT(host().switchovers().at(0).at("rule").get<std::string>(),
              testing::HasSubstr("2 of 4 of the trunk's capacity is lost, threshold 50 % (T2)"));
}

INSTANTIATE_TEST_SUITE_P(Independent, OneLostPort,
                         testing::Values(Loss{Topology::Trunk, "carrier", "p0"},
                                         Loss{Topology::Trunk, "carrier", "p2"},
                                         Loss{Topology::Trunk, "blackhole", "p0"},
                                         Loss{Topology::Trunk, "one-way-in", "p0"},
                                         Loss{Topology::Trunk, "one-way-out", "p1"}),
                         [](const auto& cell) { return fmt::format("Number{}", cell.index); });
INSTANTIATE_TEST_SUITE_P(Static, OneLostPort,
                         testing::Values(Loss{Topology::StaticTrunk, "carrier", "p0"},
                                         Loss{Topology::StaticTrunk, "carrier", "p1"}),
                         [](const auto& cell) { return fmt::format("Number{}", cell.index); });

TEST_F(Trunk, T5_ASwitchThatDiesIsOneVerdictAndOneSwitchover) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("switch"));
  ASSERT_TRUE(all_on("p4"));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_TRUE(carries("p4", before));
  for (const char* port : {"p0", "p1", "p2", "p3"}) EXPECT_TRUE(knows_lost(port));
  EXPECT_EQ(switchovers(), 1U);
  std::size_t verdicts = 0;
  const std::string log = host().log();
  const std::string line = std::string("path ") + kPrimary + " is down";
  for (std::size_t at = log.find(line); at != std::string::npos; at = log.find(line, at + 1))
    ++verdicts;
  EXPECT_EQ(verdicts, 1U) << log;
}

TEST_F(Trunk, T3_OnPlainSwitchesNoMacAddressLeavesByTwoPorts) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  listen();
  Flows flows(lab());
  for (int round = 0; round < 3; ++round) ways(flows);
  EXPECT_TRUE(echo().reaches_every_address());
  const net::MacAddress identity = identity_on(host_netns(), "p0").mac;
  std::map<net::MacAddress, std::set<std::size_t>> places;
  std::set<std::size_t> used;
  for (std::size_t port = 0; port < wires_.size(); ++port)
    for (const SeenFrame& frame : wires_[port]->frames([](const SeenFrame&) { return true; })) {
      if (flow_of(frame) != 0) used.insert(port);
      if (flow_of(frame) != 0 || frame.source == identity) places[frame.source].insert(port);
    }
  EXPECT_GE(used.size(), 3U) << "32 flows spread over the ports: the witness";
  EXPECT_TRUE(places.contains(identity));
  for (const auto& [mac, ports] : places)
    EXPECT_THAT(ports, SizeIs(1)) << net::to_text(mac) << " left by several ports";
}

TEST_F(Trunk, T3_OnPlainSwitchesABroadcastArrivesOnce) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  Result<bench::UdpSocket> heard =
      bench::open_udp_socket({.netns = host_netns(), .address = "192.0.2.255", .port = 9200});
  ASSERT_TRUE(heard) << heard.error().message;
  Result<bench::UdpSocket> crier = bench::open_udp_socket(
      {.netns = lab().netns("client"), .address = "192.0.2.10", .port = 9201});
  ASSERT_TRUE(crier) << crier.error().message;
  const int on = 1;
  ASSERT_EQ(::setsockopt(crier->fd.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
  constexpr int kCries = 50;
  for (char cry = 0; cry < kCries; ++cry)
    ASSERT_EQ(::sendto(crier->fd.get(), &cry, 1, 0,
                       reinterpret_cast<const sockaddr*>(&heard->address), heard->address_length),
              1);
  std::map<char, int> copies;
  char cry = 0;
  EXPECT_TRUE(await("every broadcast", [&] {
    while (::recv(heard->fd.get(), &cry, 1, MSG_DONTWAIT) == 1) ++copies[cry];
    return copies.size() == kCries;
  }));
  // Behind them comes a question and its answer, so a second copy would have been there by now.
  EXPECT_TRUE(echo().reaches_every_address());
  while (::recv(heard->fd.get(), &cry, 1, MSG_DONTWAIT) == 1) ++copies[cry];
  for (const auto& [which, times] : copies) EXPECT_EQ(times, 1) << static_cast<int>(which);
  EXPECT_GE(trunk().at("second_copies"), 3 * kCries) << "the other three ports had them as well";
}

TEST_F(Trunk, T3_AFlowKeepsItsPortWhileThatPortWorks) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  Flows flows(lab());
  listen();
  const auto before = ways(flows);
  for (const auto& [flow, ports] : before) EXPECT_THAT(ports, SizeIs(1)) << flow;
  ASSERT_DONE(lab().fault("blackhole", "p2"));
  ASSERT_TRUE(knows_lost("p2"));
  listen();
  const auto after = ways(flows);
  std::size_t moved = 0;
  for (const auto& [flow, ports] : after) {
    EXPECT_THAT(ports, SizeIs(1)) << flow;
    EXPECT_FALSE(ports.contains(2)) << flow << " leaves by the port that is lost";
    if (before.at(flow).contains(2))
      ++moved;
    else
      EXPECT_EQ(ports, before.at(flow)) << flow << " changed its port for no reason";
  }
  EXPECT_GT(moved, 0U) << "no flow was on the lost port: the witness is missing";
  EXPECT_EQ(switchovers(), 0U);
}

TEST_F(Trunk, T2_D4_TheThresholdCanBeChangedWhileEverythingRuns) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk, {.threshold = 100, .group_keys = {}}));
  ASSERT_DONE(lab().fault("carrier", "p1"));
  ASSERT_DONE(lab().fault("carrier", "p3"));
  ASSERT_TRUE(knows_working(2));
  EXPECT_EQ(host().active(), "p0");
  EXPECT_EQ(host().ctl({"set", "mether0", "threshold_percent", "101"}).exit_code, 1);
  EXPECT_EQ(host().active(), "p0");
  EXPECT_EQ(host().ctl({"set", "mether0", "threshold_percent", "50"}).exit_code, 0);
  EXPECT_TRUE(all_on("p4"));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Trunk, T3_F4_ALeadThatIsTakenDownHandsTheIdentityToAnotherPort) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().ip("host", "link set p0 down"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address());
  ASSERT_EQ(switchovers(), 1U);
  EXPECT_EQ(host().switchovers().at(0).at("cause"), "administratively down");
  EXPECT_EQ(host().path(kPrimary).at("role"), "active");
  ASSERT_DONE(lab().ip("host", "link set p0 up"));
  EXPECT_TRUE(knows_working(4));
  EXPECT_TRUE(is_bare("p0", before));
}

// Where the next failover would go changes while nothing moves.
TEST_F(Trunk, F1_T3_BridgingLeadsToThePortOfTheStandbyThatCanHaveTheIdentity) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  const auto goal = [&] { return host().pinned<hanet_steer>("steer", 0).peer_port; };
  const auto leads_to = [&](std::uint32_t port) {
    return await(fmt::format("port {} is the goal", port), [&] { return goal() == port; });
  };
  ASSERT_TRUE(leads_to(4)) << "p4, the first port of the standby, but " << goal();
  ASSERT_DONE(lab().ip("host", "link set p4 down"));
  EXPECT_TRUE(leads_to(5)) << goal();
  ASSERT_DONE(lab().ip("host", "link set p4 up"));
  EXPECT_TRUE(leads_to(4)) << goal();
  EXPECT_EQ(switchovers(), 0U);
}

TEST_F(Trunk, F10_A2_ACardOfTheTrunkIsReplacedWhileEverythingRuns) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  EXPECT_EQ(host().ctl({"remove", "mether0", "p0"}).exit_code, 1) << "it has the identity";
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", "p2"}).exit_code, 0);
  EXPECT_TRUE(carries("p2", before));
  ASSERT_EQ(host().ctl({"remove", "mether0", "p0"}).exit_code, 0);
  EXPECT_EQ(reason_of("p0"), "taken out");
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_EQ(host().path(kPrimary).at("role"), "active");
  ASSERT_EQ(host().ctl({"add", "mether0", "p0"}).exit_code, 0);
  EXPECT_TRUE(knows_working(4));
  EXPECT_TRUE(echo().reaches_every_address());
}

TEST_F(Trunk, A2_F5_AnotherLeadIsAnnouncedByThePortThatFramesComeInBy) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk, {.group_keys = "announce_count = 1\n"}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string speaker = trunk().at("speaker");
  const std::string lead = speaker == "p2" ? "p3" : "p2";
  listen();
  ASSERT_EQ(host().ctl({"switch", "mether0", "--to", lead}).exit_code, 0);
  EXPECT_TRUE(carries(lead, before));
  EXPECT_EQ(trunk().at("speaker"), speaker);
  EXPECT_TRUE(echo().reaches_every_address());
  for (std::size_t port = 0; port < wires_.size(); ++port)
    EXPECT_EQ(wires_[port]->count([&](const SeenFrame& frame) {
      return frame.is_announcement() && frame.source == before.mac;
    }) > 0,
              fmt::format("p{}", port) == speaker)
        << port;
}

TEST_F(Trunk, O1_AtTheEndTheIdentityIsLeftOnAPortThatWorks) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_DONE(lab().fault("carrier", "p0"));
  ASSERT_TRUE(knows_lost("p0"));
  EXPECT_TRUE(carries("p0", before));
  EXPECT_EQ(host().stop(), 0);
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(echo().reaches_every_address()) << "without hanet, by p1 alone";
}

TEST_F(Trunk, F12_T3_PortsThatAreTakenDownOneAfterTheOtherLeaveTheIdentityOnTheLast) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk, {.threshold = 100, .group_keys = {}}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const std::string all = "ip link set p0 down; ip link set p1 down; ip link set p2 down";
  ASSERT_TRUE(bench::run_checked(lab().in("host", {"sh", "-c", all}), std::chrono::seconds(5)));
  ASSERT_TRUE(all_on("p3"));
  EXPECT_TRUE(carries("p3", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

class IdleTrunk : public Trunk, public testing::WithParamInterface<std::string> {};

TEST_P(IdleTrunk, T4_F1_F6_ATrunkThatIsDownUntilItIsNeededTakesOverAndHandsBack) {
  ASSERT_NO_FATAL_FAILURE(
      bring_up(Topology::Trunk,
               {.mode = GetParam(),
                .group_keys = GetParam() == "warm" ? kWarmDummy : "cold_retry_ms = 1000\n"}));
  const SeenIdentity before = identity_on(host_netns(), "p0");
  for (const char* port : {"p4", "p5", "p6", "p7"})
    EXPECT_FALSE(link_of(host_netns(), port).admin_up) << port;
  ASSERT_DONE(lab().fault("switch"));
  ASSERT_TRUE(all_on("p4"));
  EXPECT_TRUE(carries("p4", before));
  EXPECT_TRUE(echo().reaches_every_address());
  EXPECT_TRUE(await("all four of it work", [&] { return trunk(kStandby).at("working") == 4; }));
  for (const char* port : {"p0", "p1", "p2", "p3"})
    EXPECT_FALSE(link_of(host_netns(), port).admin_up) << port;
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(await("the switch back is allowed", [&] {
    return host().ctl({"switch", "mether0", "--to", "p0"}).exit_code == 0;
  }));
  EXPECT_TRUE(carries("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

INSTANTIATE_TEST_SUITE_P(Mode, IdleTrunk, testing::Values("cold", "warm"),
                         [](const auto& cell) { return cell.param; });

TEST_F(Trunk, F11_T2_WithNoWorkingPathTheTrunkGoesOnByWhatIsLeftOfIt) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Trunk));
  ASSERT_DONE(lab().fault("switch", "standby"));
  ASSERT_TRUE(
      await("the standby is down", [&] { return host().path(kStandby).at("health") == "down"; }));
  for (const char* port : {"p0", "p1", "p3"}) {
    ASSERT_DONE(lab().fault("blackhole", port));
    ASSERT_TRUE(knows_lost(port));
  }
  EXPECT_EQ(host().group().at("state"), "no working path");
  EXPECT_TRUE(echo().reaches_every_address()) << "by p2, far below the threshold";
  EXPECT_EQ(switchovers(), 0U);
}

}  // namespace
}  // namespace hanet::test
