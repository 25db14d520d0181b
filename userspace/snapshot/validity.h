// SPDX-License-Identifier: Apache-2.0
//
// What a kept file is true for: one boot of one network namespace. Interface numbers mean nothing
// in another.
#pragma once

#include <string>

namespace hanet::snapshot {

/// The kernel's boot_id.
[[nodiscard]] std::string boot_id();
/// e.g. "net:[4026531840]"
[[nodiscard]] std::string own_netns();

}  // namespace hanet::snapshot
