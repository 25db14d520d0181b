// SPDX-License-Identifier: Apache-2.0
//
// See settings_ledger.h.
#include "group/settings_ledger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "core/log.h"
#include "net/link.h"

namespace hanet::group {
namespace {

bool waits(const std::string& interface) {
  return std::ranges::all_of(net::waiting_settings(), [&](const auto& setting) {
    const std::string now = net::read_setting(interface, setting.first);
    return now.empty() || now == setting.second;
  });
}

}  // namespace

SettingsLedger::SettingsLedger(const Context& context)
    : context_(context), file_(context.env.run_directory / (context.config.name + ".origins")) {}

void SettingsLedger::load() {
  Result<snapshot::Origins> kept = snapshot::load_origins(file_);
  if (!kept) return log::notice("{}: {}", context_.config.name, kept.error().message);
  kept_ = std::move(*kept);
  std::erase_if(kept_.interfaces, [](snapshot::Origin& one) {
    std::array<char, IF_NAMESIZE> name{};
    if (::if_indextoname(one.on.index, name.data()) == nullptr) return true;  // it is gone
    one.on.name = name.data();
    return false;
  });
  // What somebody changed meanwhile is his.
  for (snapshot::Origin& one : kept_.interfaces) {
    std::erase_if(one.ours,
                  [&](const auto& setting) { return !one.before.contains(setting.first); });
    std::erase_if(one.before,
                  [&](const auto& setting) { return !one.ours.contains(setting.first); });
    std::erase_if(one.ours, [&](const auto& setting) {
      if (net::read_setting(one.on.name, setting.first) == setting.second) return false;
      one.before.erase(setting.first);
      return true;
    });
  }
}

void SettingsLedger::save() {
  const Status saved = snapshot::save_origins(file_, kept_);
  if (!saved && !std::exchange(trouble_told_, true))
    log::warning("{}: after a kill settings could not be put back: {}", context_.config.name,
                 saved.error().message);
}

// By its number: it may have been renamed.
std::vector<snapshot::Origin>::const_iterator SettingsLedger::find(
    const net::InterfaceName& interface) const {
  return std::ranges::find(kept_.interfaces, interface.index,
                           [](const snapshot::Origin& one) { return one.on.index; });
}

snapshot::Origin& SettingsLedger::entry_of(const net::InterfaceName& interface) {
  const auto found = find(interface);
  if (found == kept_.interfaces.end())
    return kept_.interfaces.emplace_back(snapshot::Origin{.on = interface});
  snapshot::Origin& entry =
      kept_.interfaces[static_cast<std::size_t>(std::distance(kept_.interfaces.cbegin(), found))];
  entry.on.name = interface.name;
  return entry;
}

const snapshot::Origin* SettingsLedger::origin_of(const net::InterfaceName& interface) const {
  const auto found = find(interface);
  return found == kept_.interfaces.end() || !found->is_known ? nullptr : &*found;
}

void SettingsLedger::remember(const net::InterfaceName& interface, bool admin_up,
                              std::vector<net::Address> link_local) {
  snapshot::Origin& entry = entry_of(interface);
  entry.is_known = true;
  entry.admin_up = admin_up;
  entry.link_local = std::move(link_local);
  save();
}

// Returns those that the kernel refused, or rounded.
std::vector<std::string> SettingsLedger::change(const net::InterfaceName& interface,
                                                const net::Settings& wanted) {
  snapshot::Origin& entry = entry_of(interface);
  net::Settings changed;
  for (const auto& [setting, value] : wanted) {
    if (!net::has_setting(interface.name, setting)) continue;
    const std::string now = net::read_setting(interface.name, setting);
    if (now == value) continue;
    changed[setting] = value;
    entry.before.try_emplace(setting, now);
    entry.ours[setting] = value;
  }
  if (changed.empty()) return {};
  save();
  std::vector<std::string> others = net::write_settings(context_.requests(), interface, changed);
  // It is as the kernel has it now.
  for (const std::string& setting : others)
    entry.ours[setting] = net::read_setting(interface.name, setting);
  // What is as it was before needs no putting back.
  std::erase_if(entry.ours, [&](const auto& setting) {
    if (entry.before.at(setting.first) != setting.second) return false;
    entry.before.erase(setting.first);
    return true;
  });
  save();
  if (!others.empty())
    log::warning("{}: these settings of {} could not be made those of the identity: {}",
                 context_.config.name, interface.name, fmt::join(others, ", "));
  return others;
}

void SettingsLedger::change_for_identity(const net::InterfaceName& interface,
                                         const net::Settings& wanted) {
  for (const std::string& setting : change(interface, wanted))
    refused_[interface.name].emplace(setting, wanted.at(setting));
}

std::vector<std::string> SettingsLedger::refused() {
  std::vector<std::string> lines;
  for (auto& [interface, settings] : refused_)
    std::erase_if(settings, [&](const auto& setting) {
      const std::string now = net::read_setting(interface, setting.first);
      if (now == setting.second || !net::has_setting(interface, setting.first)) return true;
      lines.push_back(
          fmt::format("{} of {} is {} and was {}", setting.first, interface, now, setting.second));
      return false;
    });
  return lines;
}

void SettingsLedger::try_again() {
  for (const auto& [interface, settings] : refused_)
    if (const Result<net::LinkInfo> link = net::find_link(context_.requests(), interface))
      change(link->interface, settings);
}

void SettingsLedger::quieten(const net::InterfaceName& interface) {
  [[maybe_unused]] const auto told = change(interface, net::waiting_settings());
}

void SettingsLedger::wait_again(const net::Place& waiting, const net::Place& holder) {
  if (waiting.port.index != kept_.left) return;
  for (const auto& [tag, carried] : kept_.carried) {
    const net::InterfaceName* has_it = holder.at(tag);
    const net::InterfaceName* waits_there = waiting.at(tag);
    if (has_it == nullptr || waits_there == nullptr) continue;
    const auto entry = find(*has_it);
    if (entry == kept_.interfaces.end()) continue;
    net::Settings wanted = entry->before;
    for (const auto& [setting, quiet] : net::waiting_settings()) wanted.erase(setting);
    [[maybe_unused]] const auto told = change(*waits_there, wanted);
  }
}

void SettingsLedger::begin(const net::Place& holder) {
  const bool was_left_behind =
      kept_.carrier != 0 && kept_.carrier != holder.port.index && waits(holder.port.name);
  if (was_left_behind) give(holder);
  kept_.carried.clear();
  kept_.carried[0] = net::read_settings(holder.port.name);
  for (const net::Vlan& vlan : holder.vlans) carry_vlan(vlan);
  kept_.carrier = holder.port.index;
  save();
}

void SettingsLedger::give(const net::Place& to) {
  refused_.clear();
  for (const auto& [tag, settings] : kept_.carried)
    if (const net::InterfaceName* on = to.at(tag)) change_for_identity(*on, settings);
  kept_.carrier = to.port.index;
  kept_.left = 0;
  save();
}

void SettingsLedger::carry_vlan(const net::Vlan& vlan) {
  kept_.carried[vlan.tag] = net::read_settings(vlan.on.name);
}

void SettingsLedger::follow(const net::Place& from, const net::Place& to) {
  refused_.clear();
  for (auto& [tag, carried] : kept_.carried) {
    const net::InterfaceName* left = from.at(tag);
    const net::InterfaceName* entered = to.at(tag);
    if (entered == nullptr) continue;
    net::Settings of_identity = left == nullptr ? net::Settings() : net::read_settings(left->name);
    if (!of_identity.empty()) carried = std::move(of_identity);  // else the interface is gone
    const net::Settings of_waiting = net::read_settings(entered->name);
    change_for_identity(*entered, carried);
    if (left != nullptr) change(*left, of_waiting);
  }
  kept_.carrier = to.port.index;
  kept_.left = from.port.index;
  save();
}

void SettingsLedger::put_back(const net::InterfaceName& interface) {
  const auto entry = find(interface);
  if (entry == kept_.interfaces.end()) return;
  net::Settings before;
  for (const auto& [setting, value] : entry->before)
    // A secret that was not set can not be taken back.
    if (!value.empty() && net::read_setting(interface.name, setting) == entry->ours.at(setting))
      before.emplace(setting, value);
  for (const std::string& setting : net::write_settings(context_.requests(), interface, before))
    log::warning("{}: {} of {} could not be put back", context_.config.name, setting,
                 interface.name);
  kept_.interfaces.erase(entry);
  save();
}

}  // namespace hanet::group
