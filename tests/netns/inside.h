// SPDX-License-Identifier: Apache-2.0
//
// Looking into a node's network namespace from the test's process.
//
// setns(2) changes the calling thread only, so each look is a thread that enters, looks and ends.
// What an interface carries is read with hanet's own capture: two captures of the same code can be
// compared field by field, and that code is proved on its own by unit tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "net/identity.h"
#include "net/link.h"

namespace hanet::test {

/// Runs `body` in a thread inside a named namespace; passes exceptions on.
void inside(const std::string& netns, const std::function<void()>& body);

/// What `port` carries now. Throws when there is no such port.
[[nodiscard]] net::Identity identity_on(const std::string& netns, const std::string& port);
[[nodiscard]] net::LinkInfo link_of(const std::string& netns, const std::string& port);
/// Content of a file under /proc/sys/net, as the namespace sees it.
[[nodiscard]] std::string sysctl(const std::string& netns, const std::string& name);

/// How `after` differs from `before` moved to after's interface; empty when it is the same.
[[nodiscard]] std::vector<std::string> differences(const net::Identity& before,
                                                   const net::Identity& after);

}  // namespace hanet::test
