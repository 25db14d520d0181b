// SPDX-License-Identifier: Apache-2.0
//
// See lab_test.h.
#include "netns/lab_test.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "core/fd.h"
#include "netns/sniffer.h"

namespace hanet::test {
namespace {

constexpr std::uint16_t kDiscardPort = 9;  // RFC 863

sockaddr_in ipv4(const std::string& address, std::uint16_t port) {
  sockaddr_in result{
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
  if (::inet_pton(AF_INET, address.c_str(), &result.sin_addr) != 1)
    throw std::runtime_error("no IPv4 address: " + address);
  return result;
}

/// A datagram by a certain interface, wherever the routes lead.
void send_by(const std::string& netns, const std::string& interface, const std::string& source,
             const std::string& target) {
  inside(netns, [&] {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in from = ipv4(source, 0);
    const sockaddr_in to = ipv4(target, kDiscardPort);
    ASSERT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.data(),
                           static_cast<socklen_t>(interface.size())),
              0);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
    ASSERT_EQ(::sendto(socket.get(), "?", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
              1);
  });
}

}  // namespace

void LabTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "skipped: needs root for network namespaces and eBPF";
}

void LabTest::TearDown() {
  if (HasFailure()) {
    for (const auto& daemon : daemons_) {
      fmt::print("--- hanetd on {} wrote:\n{}", daemon->node(), daemon->log());
      if (daemon->running()) fmt::print("--- explain:\n{}", daemon->ctl({"explain"}).out);
      if (daemon->running()) fmt::print("--- status:\n{}", daemon->ctl({"status"}).out);
    }
  }
  echo_.reset();
  daemons_.clear();
  lab_.reset();
}

Arguments LabTest::hanetd_options() const {
  if (std::getenv("HANET_TEST_NO_BPF_TIMER") == nullptr) return {};
  return {"--no-bpf-timer"};
}

void LabTest::build(Topology topology) {
  Result<std::unique_ptr<Lab>> lab = Lab::up(topology);
  ASSERT_TRUE(lab) << lab.error().message;
  lab_ = std::move(*lab);
}

void LabTest::start(const Settings& settings) {
  for (const std::string& node : lab_->hanet_nodes()) {
    const Result<std::string> config = lab_->config(node, settings);
    ASSERT_TRUE(config) << config.error().message;
    daemons_.push_back(std::make_unique<Hanet>(*lab_, node, *config, hanetd_options()));
  }
  // Together: one that finds no peer for seconds would fail over before the test begins.
  for (const auto& daemon : daemons_) daemon->start();
}

void LabTest::start_with(const std::string& config) {
  daemons_.push_back(
      std::make_unique<Hanet>(*lab_, lab_->hanet_nodes().front(), config, hanetd_options()));
  daemons_.back()->start();
}

// An end of a pair whose peer is not there in time has no working path, and takes the first one
// that answers (F11): right, and on a slow machine not where the test begins.
void LabTest::bring_up(Topology topology, const Settings& settings) {
  constexpr int kAttempts = 3;
  for (int attempt = 1; attempt <= kAttempts; ++attempt) {
    ASSERT_NO_FATAL_FAILURE(build(topology));
    ASSERT_NO_FATAL_FAILURE(start(settings));
    ASSERT_TRUE(all_ready());
    const bool alone = std::ranges::any_of(daemons_, [](const auto& daemon) {
      return daemon->log().contains("NO WORKING PATH") && !daemon->switchovers().empty();
    });
    if (daemons_.size() == 1 || !alone) return;
    // Counted: tools/test tells how often.
    fmt::print("rebuilt: an end was alone for longer than hanetd waits at its start\n");
    LabTest::TearDown();
  }
  FAIL() << "an end of the pair is always alone for too long";
}

Echo& LabTest::echo() {
  if (!echo_) echo_ = std::make_unique<Echo>(*lab_);
  return *echo_;
}

// Not as hanetd says: where it does not use what the kernel has, a test has to fail.
bool LabTest::kernel_keeps_deadlines() const {
  return !std::filesystem::exists("/sys/kernel/realtime") &&
         std::ranges::count(hanetd_options(), "--no-bpf-timer") == 0;
}

bool LabTest::kernel_sees_carriers() {
  return kernel_keeps_deadlines() ||
         host().ask({"status"}).at("daemon").at("link_source") == "fentry";
}

std::uint64_t LabTest::polls_in(Hanet& daemon, std::chrono::nanoseconds time) {
  const std::string source = daemon.ask({"status"}).at("daemon").at("link_source");
  const bool needed = source.contains("poll");
  // What tools/lab_topology.bash configures, or what is enough (bpf/port.bpf.h).
  const std::chrono::microseconds period(needed ? 100 : int{HANET_REVIEW_US});
  return static_cast<std::uint64_t>(time / period);
}

hanet_port LabTest::port_of(const std::string& interface) {
  const unsigned index = link_of(host_netns(), interface).index;
  for (std::uint32_t at = 0; at < HANET_MAX_PORTS; ++at) {
    const auto port = host().pinned<hanet_port>("ports", at);
    if (port.in_use != 0 && port.ifindex == index) return port;
  }
  throw std::runtime_error("no such port in the map: " + interface);
}

hanet_steer LabTest::steer_of(const std::string& interface) {
  const auto session = host().pinned<hanet_session>("sessions", port_of(interface).session);
  return host().pinned<hanet_steer>("steer", session.port);
}

void LabTest::expect_muted(const std::string& port, const Ask& ask, const net::MacAddress& mac) {
  const Sniffer wire(lab().netns("client"), "c0" + ask.vlan);
  const auto says = [&](const SeenFrame& frame, bool truth) {
    return frame.is_arp_of(ask.source) && (frame.announced_mac() == mac) == truth;
  };
  const std::uint64_t before = steer_of(port).muted;
  send_by(host_netns(), port + ask.vlan, ask.source, ask.target);
  EXPECT_TRUE(await("the host asks", [&] { return steer_of(port).muted > before; }));
  // What is heard behind it: an answer to the client, which has to ask anew.
  const std::size_t true_before = wire.count([&](const auto& frame) { return says(frame, true); });
  ASSERT_DONE(lab().ip("client", "neigh flush dev c0" + ask.vlan));
  send_by(lab().netns("client"), "c0" + ask.vlan, ask.target, ask.source);
  EXPECT_TRUE(await("the host answers", [&] {
    return wire.count([&](const auto& frame) { return says(frame, true); }) > true_before;
  }));
  EXPECT_EQ(wire.count([&](const auto& frame) { return says(frame, false); }), 0U)
      << port << " said that it has " << ask.source;
}

void LabTest::add_interface(const std::string& name) const {
  ASSERT_DONE(lab().ip("host", fmt::format("link add {0} type veth peer {0}x", name)));
  ASSERT_DONE(lab().ip("host", fmt::format("link set {}x up", name)));
  ASSERT_DONE(lab().ip("host", fmt::format("link set {} up", name)));
}

std::string LabTest::second_group() {
  return "\n[[group]]\nname = \"mether1\"\nprimary = \"q0\"\nstandby = \"q1\"\n"
         "[group.heartbeat]\ntarget = \"198.51.100.9\"\n";
}

void LabTest::add_second_ports() const {
  for (const char* port : {"q0", "q1"}) ASSERT_NO_FATAL_FAILURE(add_interface(port));
  ASSERT_DONE(lab().ip("host", "addr add 198.51.100.1/24 dev q0"));
}

void LabTest::start_with_second_group() {
  const Result<std::string> config = lab().config("host", {});
  ASSERT_TRUE(config) << config.error().message;
  start_with(*config + second_group());
}

testing::AssertionResult LabTest::all_ready() {
  for (const auto& daemon : daemons_) {
    bool ended = false;
    const testing::AssertionResult ready =
        await(fmt::format("hanet on {} is ready", daemon->node()), [&] {
          ended = !daemon->running();
          return ended || daemon->ready();
        });
    if (ended) return testing::AssertionFailure() << "hanetd on " << daemon->node() << " ended";
    if (!ready) return ready;
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult LabTest::all_on(const std::string& port) {
  for (const auto& daemon : daemons_) {
    const testing::AssertionResult there =
        await(fmt::format("the identity of {} on {}", daemon->node(), port),
              [&] { return daemon->is_on(port); });
    if (!there) return there;
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult LabTest::carries(const std::string& port,
                                          const SeenIdentity& before) const {
  const std::vector<std::string> lines = differences(before, identity_on(host_netns(), port));
  if (lines.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << port << ": " << fmt::format("{}", fmt::join(lines, "; "));
}

testing::AssertionResult LabTest::wears_dummy(const std::string& port) const {
  const SeenIdentity found = identity_on(host_netns(), port);
  const bool up = link_of(host_netns(), port).admin_up;
  const bool dummy = net::to_text(found.mac) == "02:dd:00:00:00:01" &&
                     found.addresses.size() == 1 &&
                     found.addresses.front().text == "203.0.113.77/32";
  if (dummy && !up) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << port << (up ? " is up" : " is down") << " with " << net::to_text(found.mac) << " and "
         << found.addresses.size() << " addresses";
}

testing::AssertionResult LabTest::is_bare(const std::string& port,
                                          const SeenIdentity& identity) const {
  const SeenIdentity found = identity_on(host_netns(), port);
  std::vector<std::string> lines;
  for (const SeenAddress& address : found.addresses) lines.push_back(address.text);
  for (const json& route : found.routes) lines.push_back(route.dump());
  for (const json& nexthop : found.nexthops) lines.push_back(nexthop.dump());
  if (!found.rules.empty()) lines.emplace_back("a policy rule");
  if (!found.neighbours.empty()) lines.emplace_back("a permanent neighbour");
  if (found.mac == identity.mac) lines.emplace_back("the identity's MAC address");
  if (lines.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << port << " still has " << fmt::format("{}", fmt::join(lines, ", "));
}

void LabTest::expect_moved(const SeenIdentity& before) {
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(carries("p1", before));
  EXPECT_TRUE(is_bare("p0", before));
  EXPECT_TRUE(echo().reaches_every_address());
}

}  // namespace hanet::test
