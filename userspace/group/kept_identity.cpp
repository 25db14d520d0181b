// SPDX-License-Identifier: Apache-2.0
//
// See kept_identity.h.
#include "group/kept_identity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "core/log.h"
#include "core/memory.h"
#include "core/priority.h"
#include "group/identity_keeper.h"
#include "net/link.h"
#include "policy/repair.h"

namespace hanet::group {
namespace {

// Written down within a millisecond or two; a thread would need as long to begin.
constexpr std::size_t kFewRoutes = 256;
constexpr Nanoseconds kTryAgain = std::chrono::seconds(1);
constexpr Nanoseconds kRestartTime = std::chrono::minutes(1);

/// `found` is empty where the port is missing.
bool is_whole_on(const net::Identity& found, const net::Identity& lost, bool with_mac) {
  const net::Identity part = net::part_for(lost, net::place_of(found));
  if (found.on.index == 0 || part.addresses.size() != lost.addresses.size()) return false;
  return net::missing_from(found, net::retarget(lost, net::place_of(found)), !with_mac).empty();
}

// Without memory, or without one more thread, there is no snapshot, and hanetd goes on.
auto carefully(const auto& write) -> decltype(write()) {
  try {
    return write();
  } catch (const std::exception& error) {
    return failure(fmt::format("write the snapshot: {}", error.what()));
  }
}

}  // namespace

bool has_own_address(const net::Identity& identity) {
  return std::ranges::any_of(identity.addresses, [](const net::Address& address) {
    return address.scope != RT_SCOPE_LINK;
  });
}

void KeptIdentity::load(MonotonicTime now) {
  Result<std::optional<snapshot::KeptSnapshot>> kept = store_.load();
  if (!kept || !*kept) return;  // kept_ports() has told why
  kept_ = std::move(*kept);
  snapshot::Snapshot& snapshot = kept_->snapshot;
  snapshot.identity = snapshot::aged(std::move(snapshot.identity), now - snapshot.taken_at);
  if (kept_->ended && now - *kept_->ended > kRestartTime) kept_.reset();
}

std::vector<std::string> KeptIdentity::ports() const {
  return kept_ ? kept_->snapshot.ports : std::vector<std::string>();
}

policy::Holder KeptIdentity::find_holder(const FoundPorts& found) const {
  std::vector<policy::PortFound> facts;
  std::optional<policy::KeptFacts> kept;
  const net::Identity* lost = kept_ ? &kept_->snapshot.identity : nullptr;
  if (lost != nullptr)
    kept = {.has_own_address = has_own_address(*lost), .moving_to = kept_->moving_to};
  for (const Port& port : ports_.all()) {
    const net::Identity& there = found.identities[ports_.number_of(port)];
    policy::PortFound fact{.present = port.present()};
    fact.is_bare = check_standby(dummy_.without(there)).has_value();
    fact.has_own_address = has_own_address(dummy_.without(there));
    if (lost != nullptr) {
      fact.has_kept_identity =
          kept->has_own_address && is_whole_on(there, *lost, context_.config.move_mac);
      fact.was_holder = there.on.index == lost->on.index;
      fact.was_called_so = port.interface.name == lost->on.name;
    }
    facts.push_back(fact);
  }
  const policy::Holder holder = policy::find_holder(facts, kept);
  if (holder.was_emptied)
    log::notice("{}: {} has lost its addresses while hanetd did not run; it is taken as it is",
                context_.config.name, lost->on.name);
  return holder;
}

// An interface that was set down while hanetd did not run has lost its IPv6 addresses and routes to
// the kernel, not to a person. IPv4 addresses outlive that: one that is not there was removed.
net::Identity KeptIdentity::identity_of(const policy::Holder& holder,
                                        const FoundPorts& found) const {
  if (holder.state == policy::HolderState::Lost) return kept_->snapshot.identity;
  const net::Identity& there = found.identities[holder.port];
  const Port& port = ports_.all()[holder.port];
  if (!kept_ || !port.present() || port.admin_up ||
      kept_->snapshot.identity.on.index != there.on.index)
    return there;
  // A VLAN may have been made anew.
  net::Identity whole = net::retarget(kept_->snapshot.identity, net::place_of(there));
  std::erase_if(whole.addresses, [&](const net::Address& address) {
    return address.family == AF_INET &&
           std::ranges::count(there.addresses, address.local, &net::Address::local) == 0;
  });
  net::use_mac(whole, there.mac);
  return whole;
}

Result<KeptIdentity::Recovered> KeptIdentity::recover(const net::Identity& lost) {
  net::NetlinkSocket& requests = context_.requests();
  const Port& to = ports_.holder();
  const auto from = std::ranges::find_if(ports_.all(), [&](const Port& port) {
    return port.present() && &port != &to && port.interface.index == lost.on.index;
  });
  const bool from_gone = from == ports_.all().end();
  if (!from_gone && from->macs.spare == lost.mac)
    ports_.set_spare_mac(*from, net::random_local_mac());
  Result<net::LinkInfo> link = net::read_link(requests, to.interface.index);
  if (!link) return pass_on(link);
  const std::optional<Dummy>& dummy = dummy_.parameters();
  Recovered recovered;
  recovered.plan =
      failover::make_plan(lost, to.place(), link->mac,
                          {.cold = context_.rules.cold || !link->admin_up,
                           .move_mac = context_.config.move_mac,
                           .from_gone = from_gone,
                           .spare_mac = from_gone ? net::MacAddress{} : from->macs.spare,
                           .dummy = dummy ? std::optional(dummy->address) : std::nullopt});
  const auto nowhere = [&] { return failover::no_way_back(recovered.plan); };
  recovered.execution =
      failover::execute(requests, recovered.plan, nowhere, [](const failover::Plan&) {});
  if (recovered.execution.outcome == failover::Outcome::RolledBack)
    return failure(fmt::format("group {}: the identity of {} is lost and {} does not take it: {}",
                               context_.config.name, lost.on.name, to.interface.name,
                               fmt::join(recovered.execution.problems, "; ")));
  ports_.set_admin_up(to, true);
  return recovered;
}

std::string KeptIdentity::recovery_text(const net::Identity& lost,
                                        const Recovered& recovered) const {
  const std::vector<std::string>& problems = recovered.execution.problems;
  return fmt::format(
      "the identity was lost with {}{} while hanetd did not run; {} has it now, as it was last "
      "seen{}{}",
      lost.on.name, kept_->moving_to ? " in the middle of a switchover" : "",
      recovered.plan.to.name, problems.empty() ? "" : "; ", fmt::join(problems, "; "));
}

void KeptIdentity::save(const net::Identity& identity, std::uint64_t change, MonotonicTime now) {
  using namespace std::chrono_literals;
  if (writing_.valid()) {
    if (writing_.wait_for(0s) != std::future_status::ready) return;
    put_in_place(writing_.get());
    return give_memory_back();
  }
  const Port& holder = ports_.holder();
  if (!holder.present() || now < save_at_ || written_ == change) return;
  written_ = change;
  writing_since_ = now;
  std::vector<std::string> ports;
  for (const config::PathConfig& path : context_.config.paths)
    for (const config::PortConfig& port : path.ports) ports.push_back(port.interface);
  if (identity.routes.size() < kFewRoutes) return put_in_place(store_.write(identity, ports, now));
  const Status begun = carefully([&]() -> Status {
    writing_ = std::async(std::launch::async, [this, identity, ports = std::move(ports), now] {
      become_ordinary();
      return carefully([&] { return store_.write(identity, ports, now); });
    });
    return {};
  });
  if (!begun) put_in_place(std::unexpected(begun.error()));
}

void KeptIdentity::put_in_place(Written written) {
  const MonotonicTime now = monotonic_now();
  save_at_ = now + std::max(policy::kBurst, kRest * (now - writing_since_));
  if (written_ == 0) return;  // a switchover began meanwhile
  const Status saved = written ? store_.put_in_place(std::move(*written)) : pass_on(written);
  if (!saved) {
    store_.drop();  // whatever is older than the identity must not be used
    written_ = 0;
    save_at_ = std::max(save_at_, now + kTryAgain);
  }
  tell(saved);
}

void KeptIdentity::tell(const Status& saved) {
  const std::string& port = ports_.holder().interface.name;
  std::optional<Finding> now;
  if (!saved)
    now = {.port = port,
           .text = fmt::format("no snapshot of the identity survives hanetd: {}; a card that "
                               "vanishes while hanetd does not run takes the identity along",
                               saved.error().message)};
  if (now && !finding_) context_.notices.alarm(AlarmKind::SnapshotNotKept, port, now->text);
  if (!now && finding_)
    context_.notices.alarm_cleared(AlarmKind::SnapshotNotKept, port,
                                   "a snapshot of the identity survives hanetd again");
  finding_ = std::move(now);
}

// What is being written says nothing of the switchover, so it must not take the place of what does.
void KeptIdentity::moves_to(const Port& port) {
  if (writing_.valid()) written_ = 0;
  store_.moves_to(ports_.number_of(port));
}

void KeptIdentity::ends(MonotonicTime now) {
  if (writing_.valid()) put_in_place(writing_.get());
  store_.ends(now);
}

}  // namespace hanet::group
