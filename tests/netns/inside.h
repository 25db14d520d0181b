// SPDX-License-Identifier: Apache-2.0
//
// Looking into a node's network namespace from the test's process.
//
// setns(2) changes the calling thread only, so each look is a thread that enters, looks and ends.
#pragma once

#include <functional>
#include <string>

namespace hanet::test {

/// Runs `body` in a thread inside a named namespace; passes exceptions on.
void inside(const std::string& netns, const std::function<void()>& body);

/// Content of a file under /proc/sys/net, as the namespace sees it.
[[nodiscard]] std::string sysctl(const std::string& netns, const std::string& name);

}  // namespace hanet::test
