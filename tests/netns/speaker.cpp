// SPDX-License-Identifier: Apache-2.0
//
// See speaker.h.
#include "netns/speaker.h"

#include <net/if.h>

#include <algorithm>
#include <stdexcept>

#include "netns/inside.h"

namespace hanet::test {
namespace {

constexpr std::size_t kPayload = 46;

net::Frame frame_of(const net::MacAddress& from, const net::MacAddress& to, std::uint16_t type) {
  net::Frame frame(ETH_HLEN + kPayload);
  std::ranges::copy(to, frame.begin());
  std::ranges::copy(from, frame.begin() + 6);
  frame[12] = static_cast<std::uint8_t>(type >> 8);
  frame[13] = static_cast<std::uint8_t>(type & 0xff);
  frame[15] = 7;  // of a tag: the VLAN
  return frame;
}

}  // namespace

Speaker::Speaker(const std::string& netns, const std::string& interface,
                 const net::MacAddress& from, const net::MacAddress& to, std::uint16_t type)
    : Speaker(netns, interface, frame_of(from, to, type)) {}

Speaker::Speaker(const std::string& netns, const std::string& interface, net::Frame frame)
    : frame_(std::move(frame)) {
  inside(netns, [&] {
    Result<net::PacketSocket> socket = net::PacketSocket::open(::if_nametoindex(interface.c_str()));
    if (!socket) throw std::runtime_error(socket.error().message);
    socket_ = std::move(*socket);
  });
  thread_ = std::thread([this] { talk(); });
}

Speaker::~Speaker() {
  stopping_ = true;
  thread_.join();
}

void Speaker::talk() const {
  while (!stopping_) {
    [[maybe_unused]] const int refused = socket_.send(frame_);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::string silence_config(const std::string& lines) {
  return "[[group]]\n"
         "name = \"mether0\"\n"
         "primary = \"p0\"\n"
         "standby = \"p1\"\n"
         "[group.heartbeat]\n"
         "kind = \"silence\"\n"
         "interval_us = 20000\n"
         "multiplier = 5\n"
         "link_poll_us = 100\n" +
         lines;
}

}  // namespace hanet::test
