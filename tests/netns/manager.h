// SPDX-License-Identifier: Apache-2.0
//
// Tests in which `ip` plays another manager of the network, one that knows nothing of hanet.
#pragma once

#include <fmt/format.h>

#include "netns/lab_test.h"

namespace hanet::test {

class ManagerTest : public LabTest {
 protected:
  bool log_has(const std::string& text) { return host().log().find(text) != std::string::npos; }
  /// All of it at once: `ip -batch`.
  Status change(const Arguments& commands) {
    Arguments batch{"bash", "-c", R"(printf '%s\n' "$@" | ip -batch -)", "change"};
    batch.insert(batch.end(), commands.begin(), commands.end());
    const Result<std::string> done =
        bench::run_checked(lab().in("host", batch), std::chrono::seconds(5));
    if (!done) return std::unexpected(done.error());
    return {};
  }
  /// How often hanetd has told of a removal from p1.
  long repairs() {
    const std::string log = host().log(), told = " was removed from p1 by ";
    long count = 0;
    for (std::size_t at = log.find(told); at != std::string::npos; at = log.find(told, at + 1))
      ++count;
    return count;
  }
  /// What `ip` shows of the routes of a family, "-4" or "-6".
  std::string routes_of(const std::string& family, const std::string& port) {
    const Result<std::string> found = bench::run_checked(
        lab().in("host", {"ip", family, "route", "show", "dev", port}), std::chrono::seconds(5));
    return found ? *found : found.error().message;
  }
};

}  // namespace hanet::test
