// SPDX-License-Identifier: Apache-2.0
//
// See switch_ports.h. A socket stays in the namespace that it was opened in, so a thread goes there
// and ends. Layouts: net/bridge/br_netlink.c (br_setport), net/core/rtnetlink.c.
#include "bench/switch_ports.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_bridge.h>
#include <net/if.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "core/fd.h"
#include "net/link.h"

namespace hanet::bench {
namespace {

net::NetlinkMessage set_port_state(unsigned ifindex, std::uint8_t state) {
  ifinfomsg link{};
  link.ifi_family = AF_BRIDGE;
  link.ifi_index = static_cast<int>(ifindex);
  return net::MessageBuilder(RTM_SETLINK, 0)
      .header(link)
      .begin(IFLA_PROTINFO | NLA_F_NESTED)
      .attribute_u8(IFLA_BRPORT_STATE, state)
      .end()
      .take();
}

net::NetlinkMessage set_working(PortFault how, unsigned ifindex, bool works) {
  if (how == PortFault::Carrier) return net::set_admin_state(ifindex, works);
  return set_port_state(ifindex, works ? BR_STATE_FORWARDING : BR_STATE_DISABLED);
}

Status enter(const std::string& netns) {
  const std::string path = "/run/netns/" + netns;
  const Fd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (there.valid() && ::setns(there.get(), CLONE_NEWNET) == 0) return {};
  return errno_error(errno, "enter namespace " + path);
}

}  // namespace

Result<SwitchPorts> SwitchPorts::open(const std::string& netns,
                                      const std::vector<std::string>& names) {
  SwitchPorts ports;
  Status status;
  std::thread([&] {
    status = enter(netns);
    if (!status) return;
    Result<net::NetlinkSocket> socket = net::NetlinkSocket::open();
    if (!socket) {
      status = pass_on(socket);
      return;
    }
    ports.socket_ = std::move(*socket);
    for (const std::string& name : names) {
      ports.ifindex_[name] = ::if_nametoindex(name.c_str());
      if (ports.ifindex_[name] == 0) status = errno_error(errno, "find the switch's port " + name);
    }
  }).join();
  if (!status) return pass_on(status);
  return ports;
}

Status SwitchPorts::fail(PortFault how, const std::vector<std::string>& names) {
  std::vector<net::NetlinkMessage> batch;
  for (const std::string& name : names) {
    const auto port = ifindex_.find(name);
    if (port == ifindex_.end()) return failure("the lab's switch has no port " + name);
    batch.push_back(set_working(how, port->second, false));
    broken_.push_back({.how = how, .ifindex = port->second});
  }
  return send(std::move(batch), "break a port of the lab's switch");
}

Status SwitchPorts::heal() {
  std::vector<net::NetlinkMessage> batch;
  for (const Broken& port : std::exchange(broken_, {}))
    batch.push_back(set_working(port.how, port.ifindex, true));
  // A bridge takes a port without carrier out of use itself, and into use when that comes back.
  return batch.empty() ? Status()
                       : send(std::move(batch), "heal the ports of the lab's switch", ENETDOWN);
}

Status SwitchPorts::send(std::vector<net::NetlinkMessage> batch, const char* what, int allowed) {
  if (Status sent = socket_.send(batch); !sent) return sent;
  Result<std::vector<net::Acknowledgement>> answers = socket_.collect();
  if (!answers) return pass_on(answers);
  for (const net::Acknowledgement& answer : *answers)
    if (answer.code != 0 && answer.code != allowed)
      return failure(fmt::format("{}: {} {}", what, std::strerror(answer.code), answer.message));
  return {};
}

}  // namespace hanet::bench
