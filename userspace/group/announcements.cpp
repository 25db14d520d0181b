// SPDX-License-Identifier: Apache-2.0
//
// See announcements.h.
#include "group/announcements.h"

#include <algorithm>
#include <fstream>

#include "net/identity.h"

namespace hanet::group {

bool is_router(const std::string& interface) {
  std::ifstream file("/proc/sys/net/ipv6/conf/" + interface + "/forwarding");
  int forwarding = 0;
  return file >> forwarding && forwarding != 0;
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

void Announcements::repeat(std::vector<net::Frame> frames, MonotonicTime now) {
  frames_ = std::move(frames);
  left_ = context_.config.announce_count;
  if (left_ > 0 && !in_vain_) --left_;
  next_at_ = now + context_.config.announce_gap;
}

void Announcements::send_all(std::vector<net::Frame> frames, MonotonicTime now) {
  frames_ = std::move(frames);
  left_ = context_.config.announce_count;
  next_at_ = now;
}

void Announcements::send_all_of(const net::Identity& identity, MonotonicTime now) {
  std::vector<net::Frame> frames;
  for (const net::Address& address : identity.addresses)
    frames.push_back(failover::announcement(address, identity.mac,
                                            is_router(net::holder_of(identity, address).name)));
  send_all(std::move(frames), now);
}

// A port that just came up may negotiate for seconds, and what is sent meanwhile is lost: the
// announcements wait for the carrier, and all of them are sent again. For rtnetlink as well,
// because the kernel drops what is sent between the carrier's edge and dev_activate(), without an
// error (net/core/link_watch.c, linkwatch_do_dev; it tells behind both).
void Announcements::tick(MonotonicTime now) {
  if (left_ == 0 || now < next_at_) return;
  next_at_ = now + context_.config.announce_gap;
  const Port& holder = ports_.holder();
  const policy::PortTrial& trial = judge_.trial(holder);
  const bool proved = trial.link == policy::LinkTrial::Proved;
  const bool sends = proved && holder.rtnetlink_carrier;
  if (context_.rules.cold && !sends && now < trial.negotiates_until) {
    if (!proved) left_ = context_.config.announce_count;
    return;
  }
  --left_;
  for (const net::Frame& frame : frames_) [[maybe_unused]]
    const int refused = holder.socket.send(frame);
}

std::optional<MonotonicTime> Announcements::next_deadline() const {
  return left_ > 0 ? std::optional(next_at_) : std::nullopt;
}

}  // namespace hanet::group
