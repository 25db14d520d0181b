// SPDX-License-Identifier: Apache-2.0
//
// See holder.h.
#include "policy/holder.h"

#include <algorithm>

namespace hanet::policy {
namespace {

template <typename Is>
std::optional<std::size_t> first(std::span<const PortFound> found, Is is) {
  const auto port =
      std::ranges::find_if(found, [&](const PortFound& one) { return one.present && is(one); });
  if (port == found.end()) return std::nullopt;
  return static_cast<std::size_t>(port - found.begin());
}

enum class Loss { None, Emptied, Lost };

Loss loss_of(std::span<const PortFound> found, const KeptFacts& kept) {
  if (!kept.has_own_address ||
      first(found, [](const PortFound& one) { return one.has_kept_identity; }))
    return Loss::None;
  if (kept.moving_to) return Loss::Lost;
  if (first(found, [](const PortFound& one) { return !one.is_bare; })) return Loss::None;
  return first(found, [](const PortFound& one) { return one.was_holder; }) ? Loss::Emptied
                                                                           : Loss::Lost;
}

// Where hanetd was moving it, where it was, anywhere; empty: no port is there.
std::optional<std::size_t> where_to(std::span<const PortFound> found, const KeptFacts& kept) {
  if (kept.moving_to && *kept.moving_to < found.size() && found[*kept.moving_to].present)
    return kept.moving_to;
  const auto same_name = first(found, [](const PortFound& one) { return one.was_called_so; });
  return same_name ? same_name : first(found, [](const PortFound&) { return true; });
}

}  // namespace

Holder find_holder(std::span<const PortFound> found, const std::optional<KeptFacts>& kept) {
  Holder holder;
  if (kept) {
    const Loss loss = loss_of(found, *kept);
    holder.was_emptied = loss == Loss::Emptied;
    if (const auto place = where_to(found, *kept); loss == Loss::Lost && place)
      return {.port = *place, .state = HolderState::Lost};
  }
  // Else one with more than the kernel makes, or a host that lives by a router's addresses alone.
  auto has = first(found, [&](const PortFound& one) { return kept && one.has_kept_identity; });
  if (!has) has = first(found, [](const PortFound& one) { return !one.is_bare; });
  if (!has) has = first(found, [](const PortFound& one) { return one.has_own_address; });
  if (has) holder.state = HolderState::Has;
  holder.port = has.value_or(first(found, [](const PortFound&) { return true; }).value_or(0));
  return holder;
}

}  // namespace hanet::policy
