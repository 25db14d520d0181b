// SPDX-License-Identifier: Apache-2.0
//
// See sniffer.h.
#include "netns/sniffer.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>

#include "netns/inside.h"

namespace hanet::test {
namespace {

constexpr int kStopWithinMs = 20;
constexpr int kReceiveBuffer = 16 << 20;
constexpr std::size_t kArpBytes = 28;                  // RFC 826 with Ethernet and IPv4
constexpr std::size_t kAdvertisementBytes = 40 + 32;   // IPv6 header, NA with one option
constexpr std::uint8_t kNeighbourAdvertisement = 136;  // RFC 4861 section 4.4

SeenFrame parse(std::span<const std::uint8_t> bytes) {
  SeenFrame frame;
  std::copy_n(bytes.begin(), 6, frame.destination.begin());
  std::copy_n(bytes.begin() + 6, 6, frame.source.begin());
  frame.type = static_cast<std::uint16_t>(bytes[12] << 8 | bytes[13]);
  frame.payload.assign(bytes.begin() + ETH_HLEN, bytes.end());
  return frame;
}

bool is_advertisement(const SeenFrame& frame) {
  return frame.type == ETH_P_IPV6 && frame.payload.size() >= kAdvertisementBytes &&
         frame.payload[6] == IPPROTO_ICMPV6 && frame.payload[40] == kNeighbourAdvertisement;
}

bool is_arp(const SeenFrame& frame) {
  return frame.type == ETH_P_ARP && frame.payload.size() >= kArpBytes;
}

}  // namespace

bool SeenFrame::is_announcement() const {
  if (is_arp(*this))
    return std::equal(payload.begin() + 14, payload.begin() + 18, payload.begin() + 24);
  return is_advertisement(*this) && is_group_addressed();
}

bool SeenFrame::is_arp_of(const std::string& address) const {
  return is_arp(*this) && announced() == address;
}

std::string SeenFrame::announced() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool arp = is_arp(*this);
  ::inet_ntop(arp ? AF_INET : AF_INET6, payload.data() + (arp ? 14 : 48), text.data(), text.size());
  return text.data();
}

net::MacAddress SeenFrame::announced_mac() const {
  net::MacAddress mac{};
  std::copy_n(payload.begin() + (is_arp(*this) ? 8 : 66), mac.size(), mac.begin());
  return mac;
}

Sniffer::Sniffer(const std::string& netns, const std::string& interface) {
  inside(netns, [&] {
    socket_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer,
                 sizeof(kReceiveBuffer));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (address.sll_ifindex == 0 ||
        ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
      throw std::runtime_error("can not listen on " + interface);
  });
  thread_ = std::thread([this] { listen(); });
}

Sniffer::~Sniffer() {
  stopping_ = true;
  thread_.join();
}

void Sniffer::listen() {
  std::array<std::uint8_t, ETH_HLEN + 100> buffer{};
  while (!stopping_) {
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kStopWithinMs) <= 0) continue;
    sockaddr_ll from{};
    socklen_t length = sizeof(from);
    const ssize_t got = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &length);
    if (got < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING) continue;
    const std::scoped_lock lock(mutex_);
    seen_.push_back(parse({buffer.data(), static_cast<std::size_t>(got)}));
  }
}

std::size_t Sniffer::count(const Question& question) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(seen_, question));
}

std::vector<SeenFrame> Sniffer::frames(const Question& question) const {
  const std::scoped_lock lock(mutex_);
  std::vector<SeenFrame> found;
  std::ranges::copy_if(seen_, std::back_inserter(found), question);
  return found;
}

}  // namespace hanet::test
