// SPDX-License-Identifier: Apache-2.0
//
// See announcements.h.
#include "group/announcements.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "net/identity.h"
#include "net/settings.h"

namespace hanet::group {
namespace {

// A full routing table has its gateways in its first routes, too.
constexpr std::size_t kRoutesLookedAt = 1024;

std::set<std::vector<std::uint8_t>> gateways_of(const net::Identity& identity) {
  std::set<std::vector<std::uint8_t>> gateways;
  for (const net::KernelObject& route : identity.routes | std::views::take(kRoutesLookedAt))
    if (const auto gateway = route.attributes.find(RTA_GATEWAY))
      gateways.emplace(gateway->begin(), gateway->end());
  return gateways;
}

bool same_subnet(const net::Address& address, net::Attributes::Value other) {
  if (address.local.size() != other.size()) return false;
  for (std::size_t bit = 0; bit < address.prefix_length; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    if (((address.local[bit / 8] ^ other[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

template <typename Bytes>
Bytes bytes_of(net::Attributes::Value from) {
  Bytes bytes{};
  std::copy_n(from.begin(), std::min(from.size(), bytes.size()), bytes.begin());
  return bytes;
}

std::optional<net::Frame> question(const net::Identity& identity,
                                   const net::KernelObject& neighbour) {
  const auto target = neighbour.attributes.find(NDA_DST);
  const auto link = neighbour.attributes.find(NDA_LLADDR);
  if (!target || !link || link->size() != sizeof(net::MacAddress)) return std::nullopt;
  const auto to = bytes_of<net::MacAddress>(*link);
  const unsigned on = net::interface_of(neighbour);
  const auto own = std::ranges::find_if(identity.addresses, [&](const net::Address& address) {
    return net::holder_of(identity, address).index == on && same_subnet(address, *target);
  });
  if (own == identity.addresses.end()) return std::nullopt;
  net::Frame frame =
      own->family == AF_INET
          ? net::arp_request(to, identity.mac, bytes_of<net::Ipv4Bytes>(own->local),
                             bytes_of<net::Ipv4Bytes>(*target))
          : net::neighbour_solicitation(to, identity.mac, bytes_of<net::Ipv6Bytes>(own->local),
                                        bytes_of<net::Ipv6Bytes>(*target));
  return own->vlan == 0 ? frame : net::tagged(std::move(frame), own->vlan);
}

}  // namespace

std::vector<net::Frame> questions_of(const net::Identity& identity,
                                     const std::vector<net::KernelObject>& neighbours) {
  std::vector<const net::KernelObject*> order;
  for (const net::KernelObject& neighbour : neighbours) order.push_back(&neighbour);
  const std::set<std::vector<std::uint8_t>> gateways = gateways_of(identity);
  std::ranges::stable_partition(order, [&](const net::KernelObject* neighbour) {
    const auto address = neighbour->attributes.find(NDA_DST);
    return address && gateways.contains({address->begin(), address->end()});
  });
  std::vector<net::Frame> questions;
  for (const net::KernelObject* neighbour : order) {
    if (questions.size() == kAskedNeighbours) break;
    if (std::optional<net::Frame> asked = question(identity, *neighbour))
      questions.push_back(std::move(*asked));
  }
  return questions;
}

bool Announcements::send(const failover::Plan& plan) {
  in_vain_ = false;
  if (context_.config.announce_count == 0) return true;
  const auto port = std::ranges::find(ports_.all(), plan.to, &Port::interface);
  if (port == ports_.all().end()) return false;
  const engine::Engine& engine = context_.engine();
  // Without a carrier, or by a port that is muted because the verdict has not come to it yet.
  in_vain_ = engine::load(engine.steer(port->index).mode) == HANET_STEER_IDLE ||
             (engine.sees_every_edge() &&
              engine::load(engine.port(port->index).carrier) == HANET_CARRIER_DOWN);
  for (const net::Frame& frame : plan.announcements) [[maybe_unused]]
    const int refused = port->socket.send(frame);
  return !in_vain_;
}

void Announcements::begin(std::vector<net::Frame> frames, std::vector<net::Frame> questions) {
  frames_ = std::move(frames);
  questions_ = std::move(questions);
  asked_ = 0;
  left_ = context_.config.announce_count;
  gap_ = context_.config.announce_gap;
}

void Announcements::repeat(std::vector<net::Frame> frames, std::vector<net::Frame> questions,
                           MonotonicTime now) {
  begin(std::move(frames), std::move(questions));
  next_at_ = now + gap_;
  if (left_ == 0 || in_vain_) return;
  --left_;
  wait_longer();
}

void Announcements::send_all(std::vector<net::Frame> frames, MonotonicTime now) {
  begin(std::move(frames), {});
  next_at_ = now;
}

void Announcements::wait_longer() {
  gap_ = std::max<Nanoseconds>(std::min(2 * gap_, kLongestGap), context_.config.announce_gap);
}

void Announcements::send_round(const Port& holder) {
  const net::PacketSocket& socket = device_ == nullptr ? holder.socket : *device_;
  const bool as_replies = (context_.config.announce_count - left_) % 2 != 0;
  for (const net::Frame& frame : frames_) [[maybe_unused]]
    const int refused = socket.send(as_replies ? net::as_reply(frame) : frame);
  if (paces_.is_limited(holder)) return;
  for (std::size_t more = 0; more < std::min(kAskedAtOnce, questions_.size()); ++more)
      [[maybe_unused]]
    const int refused = socket.send(questions_[asked_++ % questions_.size()]);
}

void Announcements::send_all_of(const net::Identity& identity, MonotonicTime now,
                                std::vector<net::Frame> more) {
  std::vector<net::Frame> frames = std::move(more);
  for (const net::Address& address : identity.addresses)
    frames.push_back(failover::announcement(
        address, identity.mac, net::is_router(net::holder_of(identity, address).name)));
  send_all(std::move(frames), now);
}

// A port that just came up may negotiate for seconds, and what is sent meanwhile is lost: the
// announcements wait for the carrier, and all of them are sent again. For rtnetlink as well,
// because the kernel drops what is sent between the carrier's edge and dev_activate(), without an
// error (net/core/link_watch.c, linkwatch_do_dev; it tells behind both).
void Announcements::tick(MonotonicTime now) {
  if (left_ == 0 || now < next_at_) return;
  const Port& holder = ports_.holder();
  const policy::PortTrial& trial = judge_.trial(holder);
  const bool proved = trial.link == policy::LinkTrial::Proved;
  const bool sends = proved && holder.rtnetlink_carrier;
  if (context_.rules.cold && !sends && now < trial.negotiates_until) {
    next_at_ = now + context_.config.announce_gap;
    if (!proved) left_ = context_.config.announce_count;
    return;
  }
  send_round(holder);
  --left_;
  next_at_ = now + gap_;
  wait_longer();
}

std::optional<MonotonicTime> Announcements::next_deadline() const {
  return left_ > 0 ? std::optional(next_at_) : std::nullopt;
}

}  // namespace hanet::group
