// SPDX-License-Identifier: Apache-2.0
//
// A port with one session, its requests, and a target that answers as the RFCs say.
//
// Requests are built by the product (net/frames.h), numbered by tc_egress, and turned into replies
// here from the bytes that left, so a test breaks exactly one thing of a reply that would count.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "programs.h"

namespace hanet::bpf_test {

inline constexpr net::MacAddress kProbeMac{0x02, 0x68, 0x6e, 0x00, 0x00, 0x01};
inline constexpr net::MacAddress kTargetMac{0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc};
inline constexpr net::MacAddress kOtherMac{0x52, 0x54, 0x00, 0x11, 0x22, 0x33};
inline constexpr net::Ipv4Bytes kProbeIpv4{192, 0, 2, 201};
inline constexpr net::Ipv4Bytes kTargetIpv4{192, 0, 2, 10};
inline constexpr net::Ipv6Bytes kProbeIpv6{0xfe, 0x80, 0,    0,    0,    0,    0,    0,
                                           0,    0x68, 0x6e, 0xff, 0xfe, 0x00, 0x00, 0x01};
inline constexpr net::Ipv6Bytes kTargetIpv6{0xfe, 0x80, 0, 0, 0, 0, 0, 0,
                                            0,    0,    0, 0, 0, 0, 0, 0x10};

/// Where headers begin.
inline constexpr std::size_t kEthernetBytes = 14;
inline constexpr std::size_t kIcmpAt = 34;
inline constexpr std::size_t kIcmpv6At = 54;

enum class Beat { EchoIpv4, EchoIpv6, Arp, Solicitation };

[[nodiscard]] std::string to_text(Beat beat);
void PrintTo(Beat beat, std::ostream* out);
[[nodiscard]] bool is_echo(Beat beat);
[[nodiscard]] bool is_ipv6(Beat beat);

/// What a reply may change. Two of them are equal when nothing happened.
struct Progress {
  std::uint32_t state = 0;
  std::uint64_t answered = 0;
  std::uint64_t replies = 0;
  std::uint64_t lost = 0;
  std::uint32_t in_row = 0;
  std::uint64_t rtt_sum = 0;
  bool operator==(const Progress&) const = default;
};
void PrintTo(const Progress& progress, std::ostream* out);

using Rejects = std::array<std::uint64_t, HANET_REJECT_COUNT>;

/// What a test runs on. Its own, unless a case of a long table is content with what an earlier case
/// has left behind, emptied: loading takes most of such a case's time.
struct Stage {
  bool link_poll = false;
  bool silence = false;
  bool shared = false;
};

/// Tests derive from this. Skips where this user may not load BPF programs; a kernel that does not
/// take them fails the test.
class Scene : public testing::Test {
 protected:
  void SetUp() override;
  [[nodiscard]] virtual Stage stage() const { return {}; }

  /// Port `index` with one session of the same index and group, started, all on loopback.
  void watch(Beat beat, std::uint32_t index = 0);
  /// Parameters of a group; 0 s means: slow enough that no deadline passes in a test.
  void set_params(std::uint32_t group, std::uint32_t interval_us, std::uint32_t multiplier,
                  std::uint32_t up_count);

  /// The request as hanetd prepares it.
  [[nodiscard]] net::Frame request(Beat beat, std::uint32_t index = 0);
  /// Sends it through tc_egress; returns what left.
  net::Frame send(Beat beat, std::uint32_t index = 0);
  /// What the target answers to `request`.
  [[nodiscard]] static net::Frame reply_to(const net::Frame& request, Beat beat);

  [[nodiscard]] Progress progress(std::uint32_t index = 0);
  [[nodiscard]] Rejects rejects(std::uint32_t port = 0);
  [[nodiscard]] hanet_session& session(std::uint32_t index = 0) { return p->sessions[index]; }
  [[nodiscard]] hanet_port& port(std::uint32_t index = 0) { return p->ports[index]; }

  std::shared_ptr<Programs> p;
};

/// As hanet_steer::identity_mac has it.
[[nodiscard]] std::uint64_t packed(const net::MacAddress& mac);
/// One field of a frame, in network byte order.
void put16(net::Frame& frame, std::size_t at, unsigned value);
/// The payload of an echo message; ICMP begins at `icmp`.
[[nodiscard]] hanet_echo_payload payload_of(const net::Frame& frame, std::size_t icmp);
void set_payload(net::Frame& frame, std::size_t icmp, const hanet_echo_payload& payload);

}  // namespace hanet::bpf_test
