// SPDX-License-Identifier: Apache-2.0
//
// Waiting for something to become true.
//
// A test that sleeps is either slow or wrong on a busy machine. So every wait names a condition and
// a deadline far beyond what any machine needs; a deadline that passes is a failure that says what
// did not come. Pauses between two looks are short and have no influence on the result.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

namespace hanet::test {

inline constexpr std::chrono::seconds kPatience{15};

/// Looks until `done` says yes; the failure says "<what> did not happen within ...".
[[nodiscard]] testing::AssertionResult await(const std::string& what,
                                             const std::function<bool()>& done,
                                             std::chrono::milliseconds limit = kPatience);

}  // namespace hanet::test
