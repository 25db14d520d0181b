// SPDX-License-Identifier: Apache-2.0
//
// The hand that pulls cables, for tests of links and cards.
//
// Where a test machine gives the lab real cards (HANET_TEST_CARDS), tests/vm/guest/cable is the
// hand; elsewhere the lab's own veth ends are set.
#pragma once

#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "netns/lab_test.h"

namespace hanet::test {

inline constexpr std::chrono::seconds kHandLimit{30};  // a card that is unplugged is waited for

inline bool has_cards() { return std::getenv("HANET_TEST_CARDS") != nullptr; }

/// By name from the environment; throws where it is not set, which tests/vm does.
inline std::string given(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(fmt::format("{} is not set", name));
  return value;
}

inline Status run(const Arguments& command) {
  Result<std::string> done = bench::run_checked(command, kHandLimit);
  if (!done) return pass_on(done);
  return {};
}

/// What a person does to a card: see tests/vm/guest/cable.
inline Status by_hand(const Arguments& what) {
  Arguments command{given("HANET_CABLE")};
  command.insert(command.end(), what.begin(), what.end());
  return run(command);
}

class WithHands : public LabTest {
 protected:
  /// Empty while no hanetd answers, or none has such a path.
  std::string health_of(const std::string& port) {
    const json status = host().ask({"status"});
    if (!status.is_object()) return {};
    for (const json& path : status.at("groups").at(0).at("paths"))
      if (path.at("name") == port) return path.at("health");
    return {};
  }
};

}  // namespace hanet::test
