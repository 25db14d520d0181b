// SPDX-License-Identifier: Apache-2.0
//
// Which VLANs of a port have no twin: they do not move with the identity (spec F2, F13).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace hanet::policy {

/// The tags of a port's VLANs.
using Tags = std::vector<std::uint32_t>;

/// Those of `own` that some port of `others` has not. `others`: the ports that are there.
[[nodiscard]] inline Tags tags_without_twin(const Tags& own, std::span<const Tags> others) {
  Tags without_twin;
  for (const std::uint32_t tag : own)
    if (std::ranges::any_of(others,
                            [&](const Tags& tags) { return std::ranges::count(tags, tag) == 0; }))
      without_twin.push_back(tag);
  return without_twin;
}

}  // namespace hanet::policy
