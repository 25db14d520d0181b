// SPDX-License-Identifier: Apache-2.0
//
// Waiting for something to become true.
//
// A test that sleeps is either slow or wrong on a busy machine. So every wait names a condition and
// a deadline far beyond what any machine needs; a deadline that passes is a failure that says what
// did not come. Pauses between two looks are short and have no influence on the result. What
// this machine's timers were late in them is added to the deadline: a second in which no timer of a
// shared or emulated machine fires is a second in which hanetd can not have done anything either;
// up to four times the deadline in all.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

namespace hanet::test {

inline constexpr std::chrono::seconds kPatience{15};

/// Looks until `done` says yes; the failure says "<what> did not happen within ...", and how late
/// timers were. `limit`: without that.
[[nodiscard]] testing::AssertionResult await(const std::string& what,
                                             const std::function<bool()>& done,
                                             std::chrono::milliseconds limit = kPatience);

}  // namespace hanet::test
