// SPDX-License-Identifier: Apache-2.0
//
// What only a real receive path does to a frame before tc_ingress sees it (D6, M1).
//
// The stack moves a VLAN tag out of the frame, so another network's frame looks like ours. A veth
// pair in a network namespace of its own delivers such frames; the namespace is entered by one
// thread and vanishes with it.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/fd.h"
#include "engine/port_table.h"
#include "hanet.skel.h"
#include "net/packet_socket.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using engine::load;

constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);  // Linux 6.6

class Stack : public Scene {
 protected:
  /// Runs `body` with port 0 on one end of a veth pair; `wire` sends into it.
  void on_a_wire(const std::function<void(net::PacketSocket& wire)>& body) {
    std::string reason;
    std::thread([&] { reason = in_namespace(body); }).join();
    if (!reason.empty()) GTEST_SKIP() << "skipped: " << reason;
  }

  static net::Frame tagged(net::Frame frame) {
    const std::array<std::uint8_t, 4> tag{0x81, 0x00, 0x00, 0x07};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    return frame;
  }

 private:
  std::string in_namespace(const std::function<void(net::PacketSocket& wire)>& body) {
    if (::unshare(CLONE_NEWNET) != 0)
      return fmt::format("no network namespace: {}", std::strerror(errno));
    // A number that is not low: these tests find the port in the other of the two maps.
    if (std::system("ip link add port0 index 5000 type veth peer name wire0 && "
                    "ip link set port0 up && ip link set wire0 up") != 0)
      return "kernel has no veth driver";
    watch(Beat::Arp);
    const unsigned ifindex = ::if_nametoindex("port0");
    const std::uint32_t index = 0;
    port().ifindex = ifindex;
    EXPECT_GE(ifindex, std::uint32_t{HANET_LOW_IFINDEX});
    EXPECT_EQ(engine::enter_port(*p->skeleton(), ifindex, index), 0);
    const Fd link(bpf_link_create(bpf_program__fd(p->skeleton()->progs.tc_ingress),
                                  static_cast<int>(ifindex), kTcxIngress, nullptr));
    if (!link.valid()) return fmt::format("kernel has no tcx: {}", std::strerror(errno));
    Result<net::PacketSocket> wire = net::PacketSocket::open(::if_nametoindex("wire0"));
    if (!wire) return wire.error().message;
    body(*wire);
    return {};
  }
};

// Frames on a wire keep their order: what came before the witness was seen before it.
TEST_F(Stack, M1_AFrameOfAnotherVlanIsNeitherAReplyNorANeighbour) {
  on_a_wire([&](net::PacketSocket& wire) {
    EXPECT_EQ(p->tc_egress(request(Beat::Arp)).verdict, kTcSent);
    const net::Frame reply = reply_to(request(Beat::Arp), Beat::Arp);
    const net::Frame question = net::arp_request(net::kBroadcast, kTargetMac, {}, kProbeIpv4);
    for (const net::Frame& frame : {reply, net::gratuitous_arp(kOtherMac, kTargetIpv4), question})
      EXPECT_EQ(wire.send(tagged(frame)), 0);
    EXPECT_TRUE(await([&] { return load(port().rejected[HANET_REJECT_TAGGED]) == 1; }));
    EXPECT_EQ(load(session().replies), 0U);

    EXPECT_EQ(wire.send(question), 0);
    EXPECT_TRUE(await([&] { return load(port().answered_for_neighbours) != 0; }));
    EXPECT_EQ(load(port().answered_for_neighbours), 1U) << "only the question without a tag";
    EXPECT_EQ(load(session().target_mac_known), 0) << "another VLAN's host with the same address";

    EXPECT_EQ(wire.send(reply), 0);
    EXPECT_TRUE(await([&] { return load(session().replies) == 1; })) << "the witness";
  });
}

TEST_F(Stack, M1_AReplyWithoutXdpIsMatchedBehindARealReceivePath) {
  on_a_wire([&](net::PacketSocket& wire) {
    EXPECT_EQ(p->tc_egress(request(Beat::Arp)).verdict, kTcSent);
    EXPECT_EQ(wire.send(reply_to(request(Beat::Arp), Beat::Arp)), 0);
    EXPECT_TRUE(await([&] { return load(session().answered) == 1; }));
  });
}

TEST_F(Stack, M1_WithXdpOnThePortNoReplyIsCountedTwice) {
  watch(Beat::EchoIpv4);
  port().replies_at_xdp = 1;
  const net::Frame first = reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4);
  const net::Frame second = reply_to(send(Beat::EchoIpv4), Beat::EchoIpv4);
  ASSERT_EQ(p->xdp(second).verdict, kXdpDrop);
  EXPECT_EQ(p->xdp(first).verdict, kXdpPass);
  EXPECT_EQ(p->tc_ingress(first).verdict, kTcPass) << "the same frame, a moment later";
  Rejects once{};
  once[HANET_REJECT_LATE] = 1;
  EXPECT_EQ(rejects(), once) << "late, and not a duplicate of itself";
}

}  // namespace
}  // namespace hanet::bpf_test
