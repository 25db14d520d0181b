// SPDX-License-Identifier: Apache-2.0
//
// See cable.h.
#include "netns/cable.h"

#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>

#include "netns/inside.h"

namespace hanet::test {
namespace {

using Buffer = std::array<char, 512>;

Fd open_rtnetlink() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) throw std::runtime_error("no rtnetlink socket");
  return socket;
}

nlmsghdr* link_message(Buffer& buffer, std::uint16_t type, unsigned char family, unsigned ifindex) {
  nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  link->ifi_family = family;
  link->ifi_index = static_cast<int>(ifindex);
  return message;
}

void send_and_wait(const Fd& socket, const nlmsghdr& message) {
  Buffer answer{};
  if (::send(socket.get(), &message, message.nlmsg_len, 0) < 0 ||
      ::recv(socket.get(), answer.data(), answer.size(), 0) < 0)
    throw std::runtime_error("rtnetlink does not answer");
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
  if (header->nlmsg_type != NLMSG_ERROR || error->error != 0)
    throw std::runtime_error("rtnetlink refused a link's change");
}

}  // namespace

Cable::Cable(const std::string& netns, const std::string& port) {
  inside(netns, [&] {
    socket_ = open_rtnetlink();
    ifindex_ = ::if_nametoindex(port.c_str());
  });
  if (ifindex_ == 0) throw std::runtime_error("no cable at " + port);
}

void Cable::set_state(std::uint8_t state) const {
  Buffer buffer{};
  nlmsghdr* message = link_message(buffer, RTM_SETLINK, AF_BRIDGE, ifindex_);
  nlattr* port = mnl_attr_nest_start(message, IFLA_PROTINFO);
  mnl_attr_put_u8(message, IFLA_BRPORT_STATE, state);
  mnl_attr_nest_end(message, port);
  send_and_wait(socket_, *message);
}

void remove_interface(const std::string& netns, const std::string& name) {
  inside(netns, [&] {
    const Fd socket = open_rtnetlink();
    Buffer buffer{};
    send_and_wait(socket,
                  *link_message(buffer, RTM_DELLINK, AF_UNSPEC, ::if_nametoindex(name.c_str())));
  });
}

}  // namespace hanet::test
