// SPDX-License-Identifier: Apache-2.0
//
// One TCP connection between two nodes of a lab, kept open and asked now and then.
//
// A firewall knows connections, so a datagram that is answered proves less there than a connection
// that lives: its packets have to match what the firewall remembers, and a new one has to match its
// rules. Both ends are in this process. Every question carries a number and must come back in
// order: a connection that was lost and opened again would be noticed.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "core/fd.h"
#include "netns/await.h"
#include "netns/lab.h"

namespace hanet::test {

class TcpTalk {
 public:
  /// Listens at the server's address. Throws when it can not.
  TcpTalk(const Lab& lab, Conversation between, std::uint16_t port);

  /// Connects; a failure says that nobody let it in within `limit`.
  [[nodiscard]] testing::AssertionResult begins(std::chrono::milliseconds limit = kPatience);
  /// Asks over the connection that is open and waits for the answer.
  [[nodiscard]] testing::AssertionResult answers();

 private:
  [[nodiscard]] std::string name() const;

  std::string client_netns_;
  Conversation between_;
  std::uint16_t port_;
  Fd listening_;
  Fd server_;
  Fd client_;
  std::uint64_t question_ = 0;
};

}  // namespace hanet::test
