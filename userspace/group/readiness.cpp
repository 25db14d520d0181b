// SPDX-License-Identifier: Apache-2.0
//
// See readiness.h.
#include "group/readiness.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <utility>

#include "net/capture.h"
#include "net/decode.h"
#include "net/link.h"
#include "net/route.h"
#include "net/settings.h"
#include "policy/repair.h"

namespace hanet::group {
namespace {

// Settings in /proc change without a message.
constexpr Nanoseconds kLookAgain = std::chrono::seconds(1);

std::string master_of(const net::LinkInfo& link) {
  return link.master == 0 ? "none" : fmt::format("number {}", link.master);
}

std::vector<std::string> ipv6_of(const net::Identity& identity) {
  std::vector<std::string> lines;
  for (const net::Address& address : identity.addresses)
    if (address.family == AF_INET6 && address.vlan == 0 && address.scope != RT_SCOPE_LINK)
      lines.push_back(net::describe(address));
  return lines;
}

std::vector<std::string> describe(const net::Configured& strangers) {
  std::vector<std::string> lines;
  for (const net::Address& address : strangers.addresses)
    lines.push_back(fmt::format("address {}", net::describe(address)));
  for (const net::KernelObject& route : strangers.routes)
    lines.push_back(net::describe_route(route));
  return lines;
}

}  // namespace

// Once for a burst of changes, and never more than a tenth of the main thread's time.
void Readiness::note_change() {
  if (!unread_)
    look_at_ =
        std::min(look_at_, monotonic_now() + std::max(policy::kBurst, kRest * last_reading_));
  unread_ = true;
}

void Readiness::hear(const nlmsghdr& message) {
  if (unread_) return;
  const auto is_on_port = [&](unsigned ifindex) {
    return std::ranges::any_of(ports_.all(), [&](const Port& port) {
      return port.present() && port.interface.index == ifindex;
    });
  };
  switch (message.nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
      if (is_on_port(static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message))->ifa_index))
        note_change();
      return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const net::KernelObject route = net::object_of<rtmsg>(message);
      if (std::ranges::any_of(ports_.all(), [&](const Port& port) {
            return port.present() && !ports_.is_holder(port) &&
                   net::leaves_by(route, port.interface.index);
          }))
        note_change();
      return;
    }
    default:
      return;
  }
}

const net::Configured& Readiness::strangers_on(const Port& port) const {
  static const net::Configured kNone;
  const std::size_t at = ports_.number_of(port);
  return at < seen_.size() ? seen_[at].strangers : kNone;
}

bool Readiness::read_anew() {
  const Result<std::vector<net::LinkInfo>> links = net::read_links(context_.requests());
  if (!links) return false;  // the next look asks again
  unread_ = false;
  const std::vector<Seen> before = std::exchange(seen_, std::vector<Seen>(ports_.all().size()));
  for (const Port& port : ports_.all()) {
    Seen& seen = seen_[ports_.number_of(port)];
    const auto link = std::ranges::find(
        *links, port.interface.index, [](const net::LinkInfo& one) { return one.interface.index; });
    if (!port.present() || link == links->end()) continue;
    seen.link = *link;
    if (ports_.is_holder(port)) continue;
    Result<net::Configured> found = net::configured_on(context_.requests(), port.interface);
    if (!found) {  // what can not be read is as it was
      unread_ = true;
      if (!before.empty()) seen.strangers = before[ports_.number_of(port)].strangers;
      continue;
    }
    if (const std::optional<Dummy>& dummy = dummy_.parameters())
      std::erase_if(found->addresses, [&](const net::Address& address) {
        return address.local == dummy->address.local;
      });
    seen.strangers = std::move(*found);
  }
  Result<std::vector<net::Address>> duplicates =
      net::duplicates_on(context_.requests(), net::place_of(keeper_.identity()));
  if (duplicates)
    duplicates_ = std::move(*duplicates);
  else
    unread_ = true;
  return !std::ranges::equal(before, seen_, {}, &Seen::strangers, &Seen::strangers);
}

// What a switchover can not change on the other port.
void Readiness::compare_links(const Port& waiting, std::vector<Finding>& findings) const {
  const Port& holder = ports_.holder();
  const std::optional<net::LinkInfo>& has = seen_[ports_.number_of(holder)].link;
  const std::optional<net::LinkInfo>& other = seen_[ports_.number_of(waiting)].link;
  if (!has || !other) return;
  const std::string &from = holder.interface.name, &to = waiting.interface.name;
  const auto add = [&](std::string text, bool is_loss = false) {
    findings.push_back({.port = to, .text = std::move(text), .is_loss = is_loss});
  };
  if (has->mtu != other->mtu)
    add(
        fmt::format("{} has an MTU of {} and {} one of {}: after a switchover packets that are "
                    "larger than the smaller one are lost; make them agree: ip link set {} mtu {}",
                    from, has->mtu, to, other->mtu, to, has->mtu));
  if (has->group != other->group)
    add(
        fmt::format("{} is in the link group {} and {} in {}: rules by group (nft iifgroup) treat "
                    "them differently; make them agree: ip link set {} group {}",
                    from, has->group, to, other->group, to, has->group));
  if (has->answers_arp != other->answers_arp)
    add(fmt::format("ARP is on for one of {} and {} only; make them agree: ip link set {} arp {}",
                    from, to, to, has->answers_arp ? "on" : "off"));
  const bool has_vrf = has->master_kind == "vrf" || other->master_kind == "vrf";
  if (has_vrf && has->master != other->master)
    add(fmt::format("{} and {} are in different VRFs (masters {} and {}): routes of the identity "
                    "would be lost at a switchover; put both into the same one",
                    from, to, master_of(*has), master_of(*other)),
        true);
}

std::vector<Finding> Readiness::look() const {
  std::vector<Finding> findings;
  const net::Identity& identity = keeper_.identity();
  for (const net::Address& address : duplicates_)
    findings.push_back({.port = ports_.holder().interface.name,
                        .text = fmt::format(
                            "{} on {} is the address of another host (dadfailed): nobody uses it "
                            "here, and it stays behind at a switchover; remove it from one of them",
                            net::describe(address), ports_.holder().interface.name)});
  for (const Port& port : ports_.all()) {
    if (!port.present() || ports_.is_holder(port)) continue;
    const std::string& name = port.interface.name;
    const std::vector<std::string> ipv6 = ipv6_of(identity);
    if (!ipv6.empty() && net::refuses_ipv6(name))
      findings.push_back(
          {.port = name,
           .text = fmt::format("{0} takes no IPv6 address, and the identity has {1}: "
                               "a switchover would lose it; allow it: sysctl -w "
                               "net.ipv6.conf.{0}.disable_ipv6=0",
                               name, listed(ipv6)),
           .is_loss = true});
    compare_links(port, findings);
    const std::vector<std::string> strangers = describe(strangers_on(port));
    if (!strangers.empty())
      findings.push_back({.port = name,
                          .text = fmt::format(
                              "somebody configured {}, which waits without an identity of its own: "
                              "{}. It is no part of the identity and does not move; remove it, and "
                              "tell the network manager to leave {} alone",
                              name, listed(strangers), name)});
  }
  return findings;
}

bool Readiness::tick(MonotonicTime now) {
  if (context_.state.running || now < look_at_) return false;
  const bool changed = unread_ && read_anew();
  last_reading_ = monotonic_now() - now;
  look_at_ = now + kLookAgain;
  if (seen_.empty()) return false;
  std::vector<Finding> found = look();
  tell_changes(context_.notices, findings_, found);
  findings_ = std::move(found);
  return changed;
}

}  // namespace hanet::group
