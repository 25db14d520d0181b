// SPDX-License-Identifier: Apache-2.0
//
// A client that asks a host and is answered: what "reachable" means in these tests.
//
// For each conversation of the lab a UDP socket bound to the server's address echoes what comes,
// and the client asks. Sockets are opened once and live through every switchover, as those of a
// real service do. A question carries a number, so an old answer never counts.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "bench/netns_socket.h"
#include "netns/lab.h"

namespace hanet::test {

class Echo {
 public:
  /// Opens sockets for every conversation of the lab, or for others. Throws when it can not.
  explicit Echo(const Lab& lab);
  Echo(const Lab& lab, const std::vector<Conversation>& conversations);
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;
  ~Echo();

  /// Asks every address until each has answered a question that was asked from now on.
  [[nodiscard]] testing::AssertionResult reaches_every_address();
  [[nodiscard]] testing::AssertionResult reaches(const std::string& address);

 private:
  struct Sockets {
    std::string address;
    bench::UdpSocket server;
    bench::UdpSocket client;
  };

  void serve();
  [[nodiscard]] bool ask(const Sockets& with);

  std::vector<Sockets> conversations_;
  std::uint64_t question_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread server_;
};

}  // namespace hanet::test
