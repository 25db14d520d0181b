// SPDX-License-Identifier: Apache-2.0
//
// A host that talks: frames of one kind, a thousand a second, until the object ends.
//
// What a silent session hears is decided by addresses alone, so that is what can be chosen: from
// whom, to whom, and with which EtherType. A source address that the interface does not have plays
// another host of the same network.
#pragma once

#include <linux/if_ether.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "net/frames.h"
#include "net/packet_socket.h"

namespace hanet::test {

class Speaker {
 public:
  /// Talks at once. Throws when it can not.
  Speaker(const std::string& netns, const std::string& interface, const net::MacAddress& from,
          const net::MacAddress& to = net::kBroadcast, std::uint16_t type = 0x88b5);
  /// The same with a whole frame.
  Speaker(const std::string& netns, const std::string& interface, net::Frame frame);
  Speaker(const Speaker&) = delete;
  Speaker& operator=(const Speaker&) = delete;
  ~Speaker();

 private:
  void talk() const;

  net::PacketSocket socket_;
  net::Frame frame_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

/// A group that listens; `lines` belong to [group.heartbeat]. A test that is held up for less than
/// the detection time, 100 ms, is no silence.
[[nodiscard]] std::string silence_config(const std::string& lines);

}  // namespace hanet::test
