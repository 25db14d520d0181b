// SPDX-License-Identifier: Apache-2.0
//
// See readiness.h.
#include "group/readiness.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "group/inventory.h"
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

/// The port, if it is there, and the VLANs on it.
std::vector<net::LinkInfo> links_of(const Port& port, const std::vector<net::LinkInfo>& all) {
  std::vector<net::LinkInfo> links;
  std::ranges::copy_if(all, std::back_inserter(links), [&](const net::LinkInfo& link) {
    return link.interface.index == port.interface.index || net::vlan_on(link, port.interface.index);
  });
  return links;
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
    if (port.present()) seen.links = links_of(port, *links);
    if (seen.links.empty() || ports_.is_holder(port)) continue;
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

// What a switchover can not change on the other port, and on the VLANs with the same tag.
void Readiness::compare_links(const Port& waiting, std::vector<Finding>& findings) const {
  const Seen& has = seen_[ports_.number_of(ports_.holder())];
  const Seen& other = seen_[ports_.number_of(waiting)];
  for (const net::LinkInfo& from : has.links)
    for (const net::LinkInfo& to : other.links) {
      if (from.vlan_tag != to.vlan_tag) continue;
      for (const LinkTrait& trait : link_traits()) {
        const std::string ours = trait.value(from), theirs = trait.value(to);
        if (ours == theirs) continue;
        findings.push_back(
            {.port = waiting.interface.name,
             .text = fmt::format("{} has {} and {} has {}: {}; make them agree: {}",
                                 from.interface.name, ours, to.interface.name, theirs, trait.why,
                                 trait.command(from, to.interface.name)),
             .is_loss = trait.is_loss});
      }
    }
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
  tell_changes(context_.notices, AlarmKind::StandbyDiffers, findings_, found);
  findings_ = std::move(found);
  return changed;
}

}  // namespace hanet::group
