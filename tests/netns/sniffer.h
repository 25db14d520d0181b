// SPDX-License-Identifier: Apache-2.0
//
// What is really on a wire: frames of one interface, seen by an AF_PACKET socket inside a node.
//
// Counting on the wire, at the other end, is the only proof of an announcement and the only proof
// that something was not sent. Frames that the node itself sends are left out.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/fd.h"
#include "net/types.h"

namespace hanet::test {

struct SeenFrame {
  net::MacAddress destination{};
  net::MacAddress source{};
  std::uint16_t type = 0;             ///< EtherType, host order
  std::vector<std::uint8_t> payload;  ///< behind the Ethernet header, the first 100 bytes

  [[nodiscard]] bool is_group_addressed() const { return (destination[0] & 1) != 0; }
  /// A gratuitous ARP (sender address equals target address), or an unsolicited neighbour
  /// advertisement to all nodes.
  [[nodiscard]] bool is_announcement() const;
  /// ARP of any kind whose sender is this IPv4 address.
  [[nodiscard]] bool is_arp_of(const std::string& address) const;
  /// The address that an announcement is about, as text.
  [[nodiscard]] std::string announced() const;
  /// The hardware address inside an announcement, or that of any ARP's sender.
  [[nodiscard]] net::MacAddress announced_mac() const;
};

class Sniffer {
 public:
  /// Listens at once. Throws when it can not.
  Sniffer(const std::string& netns, const std::string& interface);
  Sniffer(const Sniffer&) = delete;
  Sniffer& operator=(const Sniffer&) = delete;
  ~Sniffer();

  using Question = std::function<bool(const SeenFrame&)>;
  [[nodiscard]] std::size_t count(const Question& question) const;
  [[nodiscard]] std::vector<SeenFrame> frames(const Question& question) const;

 private:
  void listen();

  Fd socket_;
  mutable std::mutex mutex_;
  std::vector<SeenFrame> seen_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace hanet::test
