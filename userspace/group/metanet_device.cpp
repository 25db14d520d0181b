// SPDX-License-Identifier: Apache-2.0
//
// See metanet_device.h.
#include "group/metanet_device.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>

#include "core/log.h"
#include "failover/device.h"
#include "net/fdb.h"
#include "net/frames.h"
#include "net/pair.h"

namespace hanet::group {
namespace {

// The kernel does not tell each change of what an interface is to receive.
constexpr Nanoseconds kLook = std::chrono::seconds(1);

}  // namespace
Status MetanetDevice::look() {
  const std::string& name = context_.config.name;
  const Result<net::LinkInfo> found = net::find_link(context_.requests(), name);
  if (!found) return {};
  const bool is_own =
      found->interface.name == name && found->kind == "veth" &&
      net::link_text(context_.requests(), found->interface.index) == failover::text_of_device(name);
  if (!is_own)
    return failure(fmt::format(
        "group {0}: an interface is called {0} already (ip link show {0}), and it is no "
        "metanetwork "
        "device that hanetd made; choose another name for the group, or take this one from the "
        "interface",
        name));
  interface_ = found->interface;
  mac_ = found->mac;
  device_mtu_ = found->mtu;
  other_end_ = found->lower;
  return {};
}

const Port* MetanetDevice::left_path() const {
  const unsigned left = context_.engine().left_path_of_device(interface_.index);
  const auto port = std::ranges::find_if(
      ports_.all(), [&](const Port& one) { return one.present() && one.interface.index == left; });
  return left == 0 || port == ports_.all().end() ? nullptr : &*port;
}

Result<unsigned> MetanetDevice::least_mtu() const {
  unsigned least = 0;
  for (const Port& port : ports_.all()) {
    if (!port.present()) continue;
    Result<net::LinkInfo> link = net::read_link(context_.requests(), port.interface.index);
    if (!link) return pass_on(link);
    least = least == 0 ? link->mtu : std::min(least, link->mtu);
  }
  return least;
}

Status MetanetDevice::make(const net::MacAddress& mac) {
  if (is_there()) {
    follow_mtu();
    return bring_up();
  }
  const std::string& name = context_.config.name;
  Result<unsigned> mtu = least_mtu();
  if (!mtu) return pass_on(mtu);
  const net::Pair pair{.near = name, .far = net::free_name(context_.requests(), "hanet-way")};
  if (Status made =
          context_.requests().request(net::make_device(pair, {.mac = mac, .mtu = *mtu}),
                                      fmt::format("make the metanetwork device {} (veth)", name));
      !made)
    return made;
  Result<net::LinkInfo> link = net::find_link(context_.requests(), name);
  if (!link) return pass_on(link);
  interface_ = link->interface;
  mac_ = link->mac;
  device_mtu_ = ports_mtu_ = link->mtu;
  other_end_ = link->lower;
  net::forbid_ipv6(pair.far);
  for (const unsigned end : {interface_.index, other_end_})
    if (Status named =
            context_.requests().request(net::set_link_text(end, failover::text_of_device(name)),
                                        fmt::format("describe {}", name));
        !named)
      return named;
  return bring_up();
}

Status MetanetDevice::bring_up() {
  for (const unsigned end : {other_end_, interface_.index})
    if (Status up = context_.requests().request(net::set_admin_state(end, true),
                                                fmt::format("bring up {}", interface_.name));
        !up)
      return up;
  return {};
}

Status MetanetDevice::attach(const Port& path) {
  engine::DeviceSpec spec{.group = context_.index,
                          .name = interface_.name,
                          .ifindex = interface_.index,
                          .sends = other_end_,
                          .mac = mac_,
                          .leads = {}};
  for (std::size_t at = 0; at < context_.config.paths.size(); ++at)
    spec.leads.push_back(ports_.of(at).front().index);
  Result<net::PacketSocket> outwards = net::PacketSocket::open(interface_.index);
  if (!outwards) return pass_on(outwards);
  Result<net::PacketSocket> inwards = net::PacketSocket::open(other_end_);
  if (!inwards) return pass_on(inwards);
  socket_ = std::move(*outwards);
  inwards_ = std::move(*inwards);
  if (Status added = context_.engine().add_device(spec); !added) return added;
  context_.engine().use_path(context_.index, path.index);
  return {};
}

void MetanetDevice::link_changed(const net::LinkInfo& link, bool removed) {
  if (link.interface.index == interface_.index && !removed) follow(link);
  const bool is_port = std::ranges::any_of(
      ports_.all(), [&](const Port& port) { return port.interface.index == link.interface.index; });
  if (is_port && !removed) follow_mtu();
}

// What is above the device may have addresses of its own: a bridge's guests, a macvlan's.
void MetanetDevice::follow(const net::LinkInfo& link) {
  if (link.mac != mac_) {
    mac_ = link.mac;
    context_.engine().set_device_mac(context_.index, mac_);
  }
  bridge_ = link.master_kind == "bridge" ? link.master : 0;
  wants_everything_ = link.promiscuity > 0;
  device_mtu_ = link.mtu;
  open_filters();
}

void MetanetDevice::open_filters() {
  for (const Port& port : ports_.all()) {
    const Filter wanted{.mac = mac_, .everything = wants_everything_};
    const unsigned index = port.interface.index;
    if (!port.present() || filters_[index] == wanted) continue;
    std::vector<net::NetlinkMessage> batch;
    if (const net::MacAddress before = filters_[index].mac;
        before != net::MacAddress{} && before != mac_)
      batch.push_back(net::receive_no_more(index, before));
    batch.push_back(net::receive_also(index, mac_));
    // By their own addresses the ports of an independent trunk are answered (bpf/trunk.bpf.h).
    if (ports_.of(port.path).size() > 1) batch.push_back(net::receive_also(index, port.macs.wire));
    batch.push_back(net::set_flags(index, IFF_ALLMULTI, true));
    batch.push_back(net::set_flags(index, IFF_PROMISC, wants_everything_));
    net::send_best_effort(context_.requests(), port.interface.name, batch);
    filters_[index] = wanted;
  }
}

void MetanetDevice::close_filters() {
  for (const Port& port : ports_.all()) {
    if (!port.present()) continue;
    std::vector<net::NetlinkMessage> batch = failover::close_filters(port.interface.index, mac_);
    if (ports_.of(port.path).size() > 1)
      batch.push_back(net::receive_no_more(port.interface.index, port.macs.wire));
    net::send_best_effort(context_.requests(), port.interface.name, batch);
  }
  filters_.clear();
}

void MetanetDevice::tick(MonotonicTime now) {
  if (now < look_at_) return;
  look_at_ = now + kLook;
  if (const Result<net::LinkInfo> link = net::read_link(context_.requests(), interface_.index))
    follow(*link);
}

std::vector<net::Frame> MetanetDevice::announcements_of_guests() const {
  std::vector<net::Frame> frames;
  if (bridge_ == 0) return frames;
  frames.push_back(net::reverse_arp(mac_));  // the bridge may have it from the device
  const auto known = net::known_beside(context_.requests(), bridge_, interface_.index);
  if (!known) {
    log::warning("{}: who is behind the bridge can not be read, and is found when it sends: {}",
                 context_.config.name, known.error().message);
    return frames;
  }
  for (const net::KnownMac& one : *known) frames.push_back(net::reverse_arp(one.mac));
  return frames;
}

// Not where a bridge is above: it would take the device's end for a querier, and pass the query on.
void MetanetDevice::ask_for_memberships() const {
  if (bridge_ != 0) return;
  for (const net::Frame& query : {net::igmp_query(), net::mld_query()}) [[maybe_unused]]
    const int refused = inwards_.send(query);
}

// A frame that is longer than a port can send would be lost there without a word. One that somebody
// made smaller stays so, until the ports have less.
void MetanetDevice::follow_mtu() {
  const Result<unsigned> least = least_mtu();
  if (!least || *least == 0) return;
  const bool follows = device_mtu_ == ports_mtu_;
  ports_mtu_ = *least;
  if (device_mtu_ == *least || (device_mtu_ < *least && !follows)) return;
  for (const unsigned end : {other_end_, interface_.index})
    if (Status set = context_.requests().request(net::set_mtu(end, *least),
                                                 fmt::format("set the MTU of {}", interface_.name));
        !set)
      return log::warning("{}: {}", context_.config.name, set.error().message);
  log::notice("{}: the MTU of {} is {} now, the least of its ports", context_.config.name,
              interface_.name, *least);
  device_mtu_ = *least;
}

}  // namespace hanet::group
