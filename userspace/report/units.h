// SPDX-License-Identifier: Apache-2.0
//
// Times as reports show them: microseconds, with the unit in the field's name.
#pragma once

#include <cstdint>

#include "core/clock.h"

namespace hanet::report {

[[nodiscard]] inline double microseconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000.0;
}
[[nodiscard]] inline double microseconds(Nanoseconds ns) {
  return static_cast<double>(ns.count()) / 1000.0;
}
/// CLOCK_MONOTONIC, as the kernel side counts it.
[[nodiscard]] inline std::uint64_t kernel_ns(MonotonicTime at) {
  return static_cast<std::uint64_t>(at.time_since_epoch().count());
}

}  // namespace hanet::report
