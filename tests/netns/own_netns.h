// SPDX-License-Identifier: Apache-2.0
//
// A network namespace of a test's own, for what needs a kernel and no lab.
//
// A thread leaves the process's namespace, runs the test's body and takes the new namespace with it
// when it ends. `ip` and /proc/sys/net inherit the namespace of the thread that uses them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace hanet::test {

/// Runs `body` in a thread that is alone in a new network namespace; returns 0 or an errno value.
inline int in_new_namespace(const std::function<void()>& body) {
  int code = 0;
  std::thread([&] {
    code = ::unshare(CLONE_NEWNET) == 0 ? 0 : errno;
    if (code == 0) body();
  }).join();
  return code;
}

inline bool ip(std::string_view arguments) {
  return std::system(fmt::format("ip {} 2>/dev/null", arguments).c_str()) == 0;
}

/// Skips where no namespace can be made.
class OwnNetns : public testing::Test {
 protected:
  void SetUp() override {
    if (const int code = in_new_namespace([] {}); code != 0)
      GTEST_SKIP() << "skipped: cannot create a network namespace: " << std::strerror(code);
  }
};

}  // namespace hanet::test
