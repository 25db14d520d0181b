// SPDX-License-Identifier: Apache-2.0
//
// See identity_keeper.h.
#include "group/identity_keeper.h"

#include <linux/neighbour.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "net/capture.h"
#include "net/link.h"
#include "snapshot/snapshot.h"

namespace hanet::group {
namespace {

// Lifetimes run down without a notification.
constexpr Nanoseconds kLifetimeCheck = std::chrono::seconds(1);
// Some 3 us each in a switchover; more than a host talks to within a second.
constexpr std::size_t kMaxKnownNeighbours = 128;

// The clocks of two readings are rounded down to seconds.
constexpr std::int64_t kRenewed = 2;

bool has_finite_lifetimes(const net::Identity& identity) {
  return std::ranges::any_of(identity.addresses, [](const net::Address& address) {
    return address.valid_seconds != UINT32_MAX;
  });
}

}  // namespace

net::Identity IdentityKeeper::hold(net::Identity identity) {
  if (identity.on != identity_.on)
    known_neighbours_ = net::retarget_neighbours(std::move(known_neighbours_),
                                                 net::place_of(identity_), net::place_of(identity));
  // lacks() and strangers().begin() say what is so in the new place.
  if (identity.on.index != identity_.on.index) {
    missing_ = {};
    strangers_ = {};
  }
  if (identity != identity_) ++changes_;
  has_lifetimes_ = has_finite_lifetimes(identity);
  captured_at_ = monotonic_now();
  return std::exchange(identity_, std::move(identity));
}

const net::RouteSlots& IdentityKeeper::slots() {
  if (std::exchange(slotted_, changes_) != changes_) slots_ = net::RouteSlots(identity_.routes);
  return slots_;
}

void IdentityKeeper::mark_stale() {
  if (!stale_) read_at_ = monotonic_now() + std::max(policy::kBurst, kRest * last_reading_);
  stale_ = true;
}

void IdentityKeeper::keep_snapshot() {
  stale_ = false;
  captured_at_ = monotonic_now();  // lifetimes are looked at again, later
}

bool IdentityKeeper::hear(const nlmsghdr& message) {
  if (message.nlmsg_type == RTM_NEWNEIGH || message.nlmsg_type == RTM_DELNEIGH)
    return hear_neighbour(message);
  if (!stale_ && net::concerns(message, identity_, slots())) mark_stale();
  return false;
}

bool IdentityKeeper::hear_neighbour(const nlmsghdr& message) {
  const auto* header = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&message));
  if (!net::place_of(identity_).has(static_cast<unsigned>(header->ndm_ifindex))) return false;
  const bool removed = message.nlmsg_type == RTM_DELNEIGH;
  if ((header->ndm_state & NUD_PERMANENT) != 0 || (header->ndm_flags & NTF_PROXY) != 0 ||
      (removed && !identity_.neighbours.empty()))
    mark_stale();
  // What is removed stays known: losing the carrier removes everything, just before it is needed.
  std::optional<net::KernelObject> neighbour = removed ? std::nullopt : net::neighbour_of(message);
  if (!neighbour) return false;
  const auto same = std::ranges::find_if(known_neighbours_, [&](const net::KernelObject& known) {
    return std::ranges::equal(*known.attributes.find(NDA_DST),
                              *neighbour->attributes.find(NDA_DST)) &&
           net::interface_of(known) == net::interface_of(*neighbour);
  });
  if (same == known_neighbours_.end()) {
    if (known_neighbours_.size() >= kMaxKnownNeighbours) return false;
    known_neighbours_.push_back(std::move(*neighbour));
    return true;
  }
  if (*same == *neighbour) return false;
  *same = std::move(*neighbour);
  return true;
}

std::optional<MonotonicTime> IdentityKeeper::next_deadline() const {
  if (stale_) return read_at_;
  if (has_lifetimes_) return captured_at_ + std::max(kLifetimeCheck, kRest * last_lifetimes_);
  return std::nullopt;
}

// The identity of before the fault, and what came since. What was missing there already was taken
// by nobody.
std::vector<std::string> IdentityKeeper::keep_what_was_taken(net::Identity& found) {
  const net::Identity before = snapshot::aged(identity_, monotonic_now() - captured_at_);
  net::Identity whole = net::united(before, found);
  const net::Identity taken = net::lacking(missing_, net::lacking(found, whole));
  found = std::move(whole);
  std::vector<std::string> news;
  std::unordered_set<std::string> told;
  for (std::string& line : net::describe_all(taken)) {
    if (!taken_.contains(line)) news.push_back(line);
    told.insert(std::move(line));
  }
  taken_ = std::move(told);
  return news;
}

Result<IdentityKeeper::Reading> IdentityKeeper::read(const net::InterfaceName& active, bool dead) {
  stale_ = false;
  const MonotonicTime started = monotonic_now();
  Result<net::Identity> found = net::capture(requests_, active);
  last_reading_ = monotonic_now() - started;
  Result<net::LinkInfo> link = net::read_link(requests_, active.index);
  if (!found || !link) mark_stale();  // what changed is still unknown
  if (!found) return pass_on(found);
  if (!link) return pass_on(link);
  if (!link->admin_up) return Reading{};
  Reading reading{.is_new = true, .kept = {}};
  strangers_.forget_absent(*found);
  *found = strangers_.without(std::move(*found));
  if (!missing_.is_nothing()) {
    missing_ = net::lacking(
        *found, net::retarget(snapshot::aged(std::move(missing_), started - captured_at_),
                              net::place_of(*found)));
    // Whoever gave it there gave it with other attributes, and knows better.
    std::erase_if(missing_.addresses, [&](const net::Address& address) {
      return std::ranges::count(found->addresses, address.local, &net::Address::local) != 0;
    });
    if (!dead) *found = net::with(*found, missing_, identity_);
  }
  if (dead)
    reading.kept = keep_what_was_taken(*found);
  else
    taken_.clear();
  reading.before = hold(std::move(*found));
  return reading;
}

// Everything but the lifetimes is as it was.
bool IdentityKeeper::take_lifetimes(const net::Identity& found, Nanoseconds age) {
  std::vector<net::Address> now = identity_.addresses;
  std::size_t seen = 0;
  bool renewed = false;
  for (net::Address& address : now) {
    const auto there = std::ranges::find_if(
        found.addresses, [&](const net::Address& one) { return net::is_same(one, address); });
    if (there == found.addresses.end()) return false;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
    renewed |= there->valid_seconds + seconds > address.valid_seconds + kRenewed;
    address.preferred_seconds = there->preferred_seconds;
    address.valid_seconds = there->valid_seconds;
    if (*there != address) return false;
    ++seen;
  }
  if (seen != found.addresses.size() || found.mac != identity_.mac) return false;
  identity_.addresses = std::move(now);
  if (renewed) ++changes_;  // a snapshot that is older lets them end too early
  return true;
}

bool IdentityKeeper::read_lifetimes(const net::InterfaceName& active) {
  const MonotonicTime started = monotonic_now();
  const Result<net::Identity> found = net::capture_addresses(requests_, active);
  last_lifetimes_ = monotonic_now() - started;
  if (!found || !missing_.is_nothing()) return false;
  if (!take_lifetimes(strangers_.without(*found), started - captured_at_)) return false;
  captured_at_ = started;
  return true;
}

void IdentityKeeper::read_known_neighbours() {
  Result<std::vector<net::KernelObject>> known =
      net::capture_known_neighbours(requests_, net::place_of(identity_));
  if (!known) return;
  if (known->size() > kMaxKnownNeighbours) known->resize(kMaxKnownNeighbours);
  known_neighbours_ = std::move(*known);
}

}  // namespace hanet::group
