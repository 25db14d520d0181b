// SPDX-License-Identifier: Apache-2.0
//
// See dummy.h.
#include "group/dummy.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/capture.h"
#include "net/link.h"
#include "net/look.h"

namespace hanet::group {
namespace {

Dummy make_dummy(const config::WarmConfig& config, engine::GroupIndex group) {
  const config::IpAddress chosen = config.dummy_address.value_or(config::default_dummy(group));
  const std::size_t bytes = chosen.family == AF_INET ? 4 : 16;
  net::Address address;
  address.family = chosen.family;
  address.prefix_length = static_cast<std::uint8_t>(8 * bytes);
  address.local.assign(chosen.bytes.begin(),
                       chosen.bytes.begin() + static_cast<std::ptrdiff_t>(bytes));
  address.peer = address.local;
  address.preferred_seconds = address.valid_seconds = UINT32_MAX;
  return {.mac = config.dummy_mac.value_or(net::random_local_mac()), .address = std::move(address)};
}

/// The MAC address that the interface would have without hanet. Empty: not to be told, because the
/// driver does not say and an interface that is down may still have an earlier hanetd's dummy.
std::optional<net::MacAddress> own_mac(const net::LinkInfo& link) {
  if (link.permanent_mac) return link.permanent_mac;
  return link.admin_up ? std::optional(link.mac) : std::nullopt;
}

}  // namespace

WarmDummy::WarmDummy(const Context& context, const PortList& ports)
    : context_(context), ports_(ports) {
  if (context.config.standby_mode == config::StandbyMode::Warm)
    dummy_ = make_dummy(context.config.warm, context.index);
}

std::optional<Dummy> WarmDummy::of(const Port& port) const {
  const policy::GroupState& state = context_.state;
  const bool has_it = port.path != state.active && port.slot == state.paths[port.path].lead;
  return has_it ? dummy_ : std::nullopt;
}

net::Identity WarmDummy::without(net::Identity identity) const {
  if (dummy_)
    std::erase_if(identity.addresses, [&](const net::Address& address) {
      return address.local == dummy_->address.local;
    });
  return identity;
}

Status WarmDummy::check(const net::MacAddress& identity) const {
  if (!dummy_) return {};
  if (Status free = check_address(); !free) return free;
  return check_mac(identity);
}

// Its own ports may have it, after a kill.
Status WarmDummy::check_address() const {
  Result<std::vector<unsigned>> holders =
      net::interfaces_with(context_.requests(), dummy_->address.family, dummy_->address.local);
  if (!holders) return pass_on(holders);
  for (const unsigned holder : *holders) {
    if (std::ranges::any_of(ports_.all(),
                            [&](const Port& port) { return port.interface.index == holder; }))
      continue;
    const Result<net::LinkInfo> link = net::read_link(context_.requests(), holder);
    return failure(fmt::format(
        "group {}: the dummy address {} is an address of {}; choose another dummy_address",
        context_.config.name, net::describe(dummy_->address),
        link ? link->interface.name : fmt::format("interface {}", holder)));
  }
  return {};
}

Status WarmDummy::check_mac(const net::MacAddress& identity) const {
  const auto refusal = [&](const std::string& whose) {
    return failure(fmt::format("group {}: the dummy MAC address {} is {}; choose another dummy_mac",
                               context_.config.name, net::to_text(dummy_->mac), whose));
  };
  for (const Port& port : ports_.all()) {
    if (!port.present()) continue;
    Result<net::LinkInfo> link = net::read_link(context_.requests(), port.interface.index);
    if (!link) return pass_on(link);
    if (own_mac(*link) == dummy_->mac) return refusal("that of " + port.interface.name);
  }
  if (identity == dummy_->mac) return refusal("the identity's");
  return {};
}

}  // namespace hanet::group
