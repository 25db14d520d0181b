// SPDX-License-Identifier: Apache-2.0
//
// See standbys.h.
#include "group/standbys.h"

#include <fmt/format.h>

#include "core/log.h"
#include "net/encode.h"
#include "net/link.h"

namespace hanet::group {

// The ports of the active trunk are up, whatever the standby does.
config::StandbyMode Standbys::mode_of(const Port& port) const {
  return port.path == context_.state.active ? config::StandbyMode::Hot
                                            : context_.config.standby_mode;
}

Status Standbys::prepare_all() {
  entries_.resize(ports_.all().size());
  std::vector<const Port*> put_back;  // by the hanetd before
  for (const Port& port : ports_.all()) {
    if (!port.present()) continue;
    if (ledger_.origin_of(port.interface) == nullptr) put_back.push_back(&port);
    Result<StandbyBefore> before = remember_standby(context_.requests(), ledger_, port.place());
    if (!before) return pass_on(before);
    if (ports_.is_holder(port)) {
      ledger_.begin(port.place());
    } else {
      if (Status done = prepare_standby(context_.requests(), ledger_, port.place(), mode_of(port),
                                        *before, dummy_.of(port));
          !done)
        return failure(fmt::format("group {}: {}", context_.config.name, done.error().message));
      ports_.set_admin_up(port, mode_of(port) == config::StandbyMode::Hot);
      of(port).waited_at_start = true;
    }
    of(port).before = std::move(*before);
  }
  for (const Port* port : put_back)
    if (!ports_.is_holder(*port)) ledger_.wait_again(port->place(), ports_.holder().place());
  return {};
}

// A card comes with its own MAC address, and that may be the identity's.
Status Standbys::take_own_mac(const Port& port, const net::LinkInfo& link,
                              const net::MacAddress& identity) {
  const bool borrowed = context_.config.move_mac && link.mac == identity;
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
  if (!ports_.is_holder(port)) {
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

void Standbys::restore_all(const net::MacAddress& identity) {
  if (entries_.empty()) return;  // nothing was prepared
  for (const Port& port : ports_.all()) {
    const Entry& entry = of(port);
    if (!entry.before || !port.present()) continue;
    if (ports_.is_holder(port)) continue;  // its settings are the identity's
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
