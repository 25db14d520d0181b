// SPDX-License-Identifier: Apache-2.0
//
// See standbys.h.
#include "group/standbys.h"

#include <fmt/format.h>

#include "core/log.h"
#include "net/encode.h"
#include "net/link.h"

namespace hanet::group {

// The ports of the active trunk are up, whatever the standby does; with a device all are.
config::StandbyMode Standbys::mode_of(const Port& port) const {
  const bool is_up = port.path == context_.state.active || !context_.rules.cold;
  return is_up ? config::StandbyMode::Hot : context_.config.standby_mode;
}

bool Standbys::is_bare(const Port& port) const {
  return context_.config.has_device() || !ports_.is_holder(port);
}

Status Standbys::prepare_all(const Port* identity_is_on) {
  entries_.resize(ports_.all().size());
  std::vector<const Port*> put_back;  // by the hanetd before
  for (const Port& port : ports_.all()) {
    if (!port.present()) continue;
    if (ledger_.origin_of(port.interface) == nullptr) put_back.push_back(&port);
    Result<StandbyBefore> before = remember_standby(context_.requests(), ledger_, port.place());
    if (!before) return pass_on(before);
    of(port).before = std::move(*before);
    if (&port == identity_is_on) {
      ledger_.begin(port.place());
      continue;
    }
    if (Status done = prepare(port); !done) return done;
    of(port).waited_at_start = true;
  }
  for (const Port* port : put_back)
    if (identity_is_on != nullptr && port != identity_is_on)
      ledger_.wait_again(port->place(), identity_is_on->place());
  return {};
}

Status Standbys::prepare(const Port& port) {
  Entry& entry = of(port);
  if (!entry.before) return {};
  if (Status done = prepare_standby(context_.requests(), ledger_, port.place(), mode_of(port),
                                    *entry.before, dummy_.of(port));
      !done)
    return failure(fmt::format("group {}: {}", context_.config.name, done.error().message));
  ports_.set_admin_up(port, mode_of(port) == config::StandbyMode::Hot);
  return {};
}

// A card comes with its own MAC address, and that may be the identity's.
Status Standbys::take_own_mac(const Port& port, const net::LinkInfo& link,
                              const net::MacAddress& identity) {
  const bool borrowed =
      context_.config.move_mac && !context_.config.has_device() && link.mac == identity;
  ports_.set_own_mac(port, borrowed ? net::random_local_mac() : link.mac);
  if (!borrowed) return {};
  return context_.requests().request(net::set_mac(link.interface.index, port.macs.spare),
                                     fmt::format("set the MAC address of {}", link.interface.name));
}

Status Standbys::prepare_card(const Port& port, const net::LinkInfo& link,
                              const net::MacAddress& identity, const net::MacAddress* listen_to) {
  net::NetlinkSocket& requests = context_.requests();
  Result<net::Place> place = net::place_on(requests, link.interface);
  if (!place) return pass_on(place);
  Result<StandbyBefore> before = remember_standby(requests, ledger_, *place);
  if (!before) return pass_on(before);
  if (Status done = take_own_mac(port, link, identity); !done) return done;
  if (Status ready =
          prepare_standby(requests, ledger_, *place, mode_of(port), *before, dummy_.of(port));
      !ready)
    return ready;
  if (Status bound = ports_.bind(port, link, *place, listen_to); !bound) {
    restore_standby(requests, ledger_, *place, *before, dummy_.of(port));
    return bound;
  }
  Entry& entry = of(port);
  // Taking it out has set it down.
  if (port.presence == Presence::TakenOut && entry.before)
    before->admin_up[0] = entry.before->admin_up[0];
  entry.before = std::move(*before);
  entry.waited_at_start = true;
  ports_.set_admin_up(port, mode_of(port) == config::StandbyMode::Hot);
  return {};
}

void Standbys::prepare_new_vlan(const Port& port, const net::Vlan& vlan) {
  Entry& entry = of(port);
  if (!entry.before) return;
  if (is_bare(port)) {
    if (Status ready =
            prepare_vlan(context_.requests(), ledger_, vlan, mode_of(port), *entry.before);
        !ready)
      log::warning("{}: {}", context_.config.name, ready.error().message);
    return;
  }
  const Result<net::LinkInfo> now = net::read_link(context_.requests(), vlan.on.index);
  if (!now) return;  // it is gone again
  entry.before->admin_up[vlan.tag] = now->admin_up;
  ledger_.carry_vlan(vlan);
}

void Standbys::give(const net::Place& to) { ledger_.give(to); }

std::vector<std::string> Standbys::follow(const net::Place& from, const net::Place& to) {
  ledger_.follow(from, to);
  return ledger_.refused();
}

// What the port was like before, without a MAC address that is the identity's now.
StandbyBefore Standbys::left_alone(const Port& port, const net::MacAddress& identity) const {
  StandbyBefore before = *of(port).before;
  if (before.mac == identity) before.mac = port.macs.spare;
  return before;
}

void Standbys::leave(const Port& port, const net::MacAddress& identity) {
  if (!of(port).before) return;
  StandbyBefore alone = left_alone(port, identity);
  alone.admin_up[0] = false;
  restore_standby(context_.requests(), ledger_, port.place(), alone, dummy_.of(port));
}

void Standbys::restore_all(const net::MacAddress& identity, const Port* identity_is_on) {
  if (entries_.empty()) return;  // nothing was prepared
  for (const Port& port : ports_.all()) {
    const Entry& entry = of(port);
    if (!entry.before || !port.present()) continue;
    if (&port == identity_is_on) continue;  // its settings are the identity's
    if (entry.waited_at_start) {
      restore_standby(context_.requests(), ledger_, port.place(), left_alone(port, identity),
                      dummy_.of(port));
      continue;
    }
    ledger_.put_back(port.interface);
    for (const net::Vlan& vlan : port.vlans) ledger_.put_back(vlan.on);
    if (const std::optional<Dummy> dummy = dummy_.of(port)) {
      // A former primary stays down where nobody looks for it, but not with a made-up address.
      [[maybe_unused]] const Status ignored = context_.requests().request(
          net::remove_address(dummy->address, port.interface.index), "remove the dummy address");
    }
  }
}

}  // namespace hanet::group
