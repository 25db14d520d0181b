// SPDX-License-Identifier: Apache-2.0
//
// What the meter of outages is worth: it looks at cuts whose length is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/lab_session.h"
#include "core/result.h"

namespace hanet::bench {

/// One cut: how long it was at least, and what the meter says of it. Microseconds.
struct KnownCut {
  double real_us = 0;
  double measured_us = 0;
};

/// Cuts the primary path of a lab without hanet for 1, 2, ... 10 ms and again, `count` times, under
/// so many packets a second each way. An error: a cut could not be made, or none was seen.
[[nodiscard]] Result<std::vector<KnownCut>> cut_and_measure(LabSession& lab, std::size_t count,
                                                            std::uint32_t packets_per_second);

}  // namespace hanet::bench
