// SPDX-License-Identifier: Apache-2.0
//
// See bridge.h.
#include "group/bridge.h"

#include <algorithm>

#include "core/log.h"

namespace hanet::group {

bool Bridge::is_bridging(const Port& lead) const {
  return engine::load(context_.engine().steer(lead.index).mode) == HANET_STEER_BRIDGE_OUT;
}

const Port* Bridge::leads_to(const Port& lead) const {
  if (!is_bridging(lead)) return nullptr;
  const std::uint32_t peer = engine::load(context_.engine().steer(lead.index).peer_port);
  const auto port = std::ranges::find(ports_.all(), peer, &Port::index);
  return port == ports_.all().end() ? nullptr : &*port;
}

void Bridge::set_identity(const net::Identity& identity) {
  if (listened_mac(identity) != nullptr && listened_ != identity.mac) {
    ports_.listen_to(listened_, identity.mac);
    listened_ = identity.mac;
  }
  set_addresses(identity);
}

// Without it the other port may speak in the identity's name, as on every Linux host.
void Bridge::set_addresses(const net::Identity& identity) {
  const Status named = context_.engine().name_identity(context_.index, net::arp_entries(identity));
  const std::string trouble = named ? "" : named.error().message;
  if (!trouble.empty() && trouble != naming_trouble_)
    log::warning("{}: {}", context_.config.name, trouble);
  naming_trouble_ = trouble;
}

void Bridge::arm(const Port& from, const Port& to, const net::MacAddress& mac) const {
  if (!context_.config.bridging || context_.rules.cold) return;
  if (from.present() && to.present())
    context_.engine().arm_bridging(from.index, to.index, mac);
  else
    context_.engine().disarm_bridging(from.index);
}

void Bridge::bridge_now(const Port& from, const Port& verdict_port) const {
  if (!is_bridging(from) && engine::load(context_.engine().steer(from.index).armed) != 0)
    context_.engine().bridge_on_verdict(verdict_port.index);
}

void Bridge::settle(const Port& lead, const Port& idle, const net::MacAddress& mac) const {
  context_.engine().give_identity(lead.index, mac);
  if (lead.path != idle.path) context_.engine().take_identity(idle.index);
}

const net::MacAddress* Bridge::listened_mac(const net::Identity& identity) const {
  const bool hears_for_good = context_.config.has_device();  // metanet_device.h
  const bool listens = !hears_for_good && (!context_.rules.cold || context_.config.has_trunk());
  return listens ? &identity.mac : nullptr;
}

}  // namespace hanet::group
