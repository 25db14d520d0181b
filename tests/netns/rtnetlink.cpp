// SPDX-License-Identifier: Apache-2.0
//
// See rtnetlink.h.
#include "netns/rtnetlink.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <vector>

#include "netns/inside.h"

namespace hanet::test {
namespace {

constexpr int kBufferBytes = 8 * 1024 * 1024;
constexpr std::size_t kReceiveBytes = 64 * 1024;

Fd open_socket(unsigned groups) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no rtnetlink socket");
  return fd;
}

using EachAttribute = std::function<void(std::uint16_t type, const nlattr& attribute)>;

void each_attribute(const nlmsghdr& message, unsigned header_bytes, const EachAttribute& each) {
  mnl_attr_parse(
      &message, header_bytes,
      [](const nlattr* attribute, void* data) -> int {
        (*static_cast<const EachAttribute*>(data))(mnl_attr_get_type(attribute), *attribute);
        return MNL_CB_OK;
      },
      const_cast<EachAttribute*>(&each));
}

int hand_over(const nlmsghdr* message, void* handler) {
  (*static_cast<const Rtnetlink::Handler*>(handler))(*message);
  return MNL_CB_OK;
}

}  // namespace

HeardLink link_in(const nlmsghdr& message) {
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  HeardLink link;
  link.index = static_cast<unsigned>(header->ifi_index);
  link.admin_up = (header->ifi_flags & IFF_UP) != 0;
  link.lower_up = (header->ifi_flags & IFF_LOWER_UP) != 0;
  each_attribute(message, sizeof(ifinfomsg), [&](std::uint16_t type, const nlattr& attribute) {
    if (type == IFLA_IFNAME) link.name = mnl_attr_get_str(&attribute);
    if (type == IFLA_CARRIER) link.carrier = mnl_attr_get_u8(&attribute) != 0;
    if (type == IFLA_ADDRESS && mnl_attr_get_payload_len(&attribute) == link.mac.size())
      std::copy_n(static_cast<const std::uint8_t*>(mnl_attr_get_payload(&attribute)),
                  link.mac.size(), link.mac.begin());
  });
  return link;
}

HeardAddress address_in(const nlmsghdr& message) {
  const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
  const std::uint16_t own = header->ifa_family == AF_INET6 ? IFA_ADDRESS : IFA_LOCAL;
  HeardAddress heard{.index = header->ifa_index, .address = {}};
  each_attribute(message, sizeof(ifaddrmsg), [&](std::uint16_t type, const nlattr& attribute) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (type == own && ::inet_ntop(header->ifa_family, mnl_attr_get_payload(&attribute),
                                   text.data(), text.size()) != nullptr)
      heard.address = text.data();
  });
  return heard;
}

unsigned interface_of_route(const nlmsghdr& message) {
  unsigned index = 0;
  each_attribute(message, sizeof(rtmsg), [&](std::uint16_t type, const nlattr& attribute) {
    if (type == RTA_OIF) index = mnl_attr_get_u32(&attribute);
  });
  return index;
}

Rtnetlink::Rtnetlink(const std::string& netns, unsigned groups) {
  inside(netns, [&] {
    notifications_ = open_socket(groups);
    requests_ = open_socket(0);
  });
}

void Rtnetlink::dump(std::uint16_t type, const Handler& handler) {
  std::vector<char> buffer(kReceiveBytes);
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg));
  if (::send(requests_.get(), request, request->nlmsg_len, 0) < 0)
    throw std::runtime_error("rtnetlink takes no question");
  for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
    const ssize_t got = ::recv(requests_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) throw std::runtime_error("rtnetlink does not answer");
    more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), 0, 0, hand_over,
                      const_cast<Handler*>(&handler));
    if (more < 0) throw std::runtime_error("rtnetlink has no consistent answer");
  }
}

bool Rtnetlink::hear(const Handler& handler) {
  std::vector<char> buffer(kReceiveBytes);
  bool complete = true;
  for (;;) {
    const ssize_t got = ::recv(notifications_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == ENOBUFS) {
      complete = false;
      continue;
    }
    if (got < 0) return complete && errno == EAGAIN;
    if (mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), 0, 0, hand_over,
                   const_cast<Handler*>(&handler)) < 0)
      complete = false;
  }
}

}  // namespace hanet::test
