// SPDX-License-Identifier: Apache-2.0
//
// Another program adds and removes addresses all the time, also in the millisecond of the failure
// (F3).
//
// The program is honest: it knows what the kernel answered to each of its requests, so at the end
// it knows which addresses the host must have. Each of those is on exactly one interface, the
// others on none, and everything that the program did not touch is as it was, field by field.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <random>
#include <set>
#include <thread>

#include "net/encode.h"
#include "net/link.h"
#include "net/netlink.h"
#include "netns/lab_test.h"

namespace hanet::test {
namespace {

constexpr int kVirtualAddresses = 24;
constexpr std::uint8_t kFirstOfTheProgram = 160;
constexpr std::uint8_t kOfTheProgram = 24;

net::Address address_of(std::uint8_t last, bool ipv6) {
  net::Address address;
  address.family = ipv6 ? AF_INET6 : AF_INET;
  // Of no subnet: none is another's secondary, and none draws routes to a dead interface.
  address.prefix_length = ipv6 ? 128 : 32;
  if (ipv6)
    address.local = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
  else
    address.local = {192, 0, 2, last};
  address.peer = address.local;
  address.preferred_seconds = address.valid_seconds = UINT32_MAX;
  return address;
}

/// Adds and removes addresses of one interface as fast as it can.
class Program {
 public:
  Program(const std::string& netns, const std::string& interface) {
    inside(netns, [&] {
      socket_ = std::move(*net::NetlinkSocket::open());
      index_ = net::find_link(socket_, interface)->interface.index;
    });
    thread_ = std::thread([this] { run(); });
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { end(); }

  void end() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  /// What the kernel said yes to; ask after end().
  [[nodiscard]] const std::set<std::string>& has() const { return has_; }
  /// The fault comes now.
  void mark() { marked_ = true; }
  /// What it removed since then.
  [[nodiscard]] const std::set<std::string>& removed() const { return removed_; }

 private:
  void run() {
    std::mt19937 random(1);
    while (!stopping_) {
      const net::Address address = address_of(
          static_cast<std::uint8_t>(kFirstOfTheProgram + random() % kOfTheProgram), random() % 2);
      const std::string text = net::describe(address);
      const bool had = has_.contains(text);
      const Status done = socket_.request(
          had ? net::remove_address(address, index_) : net::add_address(address, index_),
          "change an address");
      if (!done) continue;  // it is elsewhere by now, so this program has nothing to say
      ++changes_;
      if (had && marked_) removed_.insert(text);
      if (had)
        has_.erase(text);
      else
        has_.insert(text);
    }
  }

  net::NetlinkSocket socket_;
  unsigned index_ = 0;
  std::set<std::string> has_;
  std::set<std::string> removed_;
  std::atomic<bool> marked_ = false;
  std::atomic<std::uint64_t> changes_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

struct ChurnCell {
  const char* fault;
  bool restore;
};

class Churn : public LabTest, public testing::WithParamInterface<ChurnCell> {
 protected:
  std::set<std::string> of_the_program(const std::string& port) {
    std::set<std::string> found;
    for (const SeenAddress& address : identity_on(host_netns(), port).addresses)
      if (is_of_the_program(address)) found.insert(address.text);
    return found;
  }
  /// Everything but what the program plays with.
  static SeenIdentity without_program(SeenIdentity identity) {
    // The kernel's own route to each of them goes along.
    std::erase_if(identity.routes, [&](const json& route) {
      return std::ranges::any_of(identity.addresses, [&](const SeenAddress& address) {
        return is_of_the_program(address) && route.at("dst") == address.local;
      });
    });
    std::erase_if(identity.addresses, is_of_the_program);
    return identity;
  }
  static bool is_of_the_program(const SeenAddress& address) {
    return address.last_byte() >= kFirstOfTheProgram &&
           address.last_byte() < kFirstOfTheProgram + kOfTheProgram;
  }
  /// `kept`: may be there all the same.
  testing::AssertionResult agrees(const std::set<std::string>& wanted,
                                  const std::set<std::string>& kept) {
    const std::set<std::string> here = of_the_program("p1");
    std::set<std::string> there = of_the_program("p0");
    // A program that gives them back again and again has its way for a while.
    if (GetParam().restore && host().log().contains("again and again"))
      std::erase_if(there, [&](const std::string& one) { return here.contains(one); });
    std::string wrong;
    for (const std::string& one : wanted)
      if (here.contains(one) == there.contains(one))
        wrong += one + (here.contains(one) ? " is on both; " : " is on none; ");
    for (const std::string& one : here)
      if (!wanted.contains(one) && !kept.contains(one)) wrong += one + " came back on p1; ";
    for (const std::string& one : there)
      if (!wanted.contains(one)) wrong += one + " came back on p0; ";
    if (wrong.empty()) return testing::AssertionSuccess();
    return testing::AssertionFailure() << wrong;
  }
};

TEST_P(Churn, F3_F15_WhatTheKernelHadAtTheFailureIsWhatTheStandbyHas) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  for (int i = 0; i < kVirtualAddresses; ++i) {
    ASSERT_DONE(lab().ip(
        "host", fmt::format("addr add 192.0.2.{0}/24 brd + dev p0 label p0:v{0}", 110 + i)));
    ASSERT_DONE(lab().ip("host", fmt::format("addr add 2001:db8::{:x}/64 dev p0 nodad", 110 + i)));
  }
  const SeenIdentity before = identity_on(host_netns(), "p0");
  const bool restore = GetParam().restore;
  ASSERT_NO_FATAL_FAILURE(start({.group_keys = restore ? "" : "restore = false\n"}));
  ASSERT_TRUE(all_ready());
  Program program(host_netns(), "p0");
  ASSERT_TRUE(await("the program is at work", [&] { return program.changes() > 200; }));
  program.mark();
  ASSERT_DONE(lab().fault(GetParam().fault));
  ASSERT_TRUE(all_on("p1"));
  program.end();
  // What it took off the dead port may have moved all the same (F15).
  const std::set<std::string> kept = restore ? program.removed() : std::set<std::string>{};
  EXPECT_TRUE(
      await("the host has what it must have", [&] { return bool{agrees(program.has(), kept)}; }));
  EXPECT_TRUE(agrees(program.has(), kept));
  SeenIdentity after = without_program(identity_on(host_netns(), "p1"));
  EXPECT_THAT(differences(before, after), testing::IsEmpty());
  EXPECT_TRUE(echo().reaches_every_address());
}

INSTANTIATE_TEST_SUITE_P(After, Churn,
                         testing::Values(ChurnCell{"blackhole", false}, ChurnCell{"carrier", false},
                                         ChurnCell{"blackhole", true}, ChurnCell{"carrier", true}),
                         [](const auto& cell) {
                           return fmt::format("{}{}", cell.param.fault,
                                              cell.param.restore ? "Restoring" : "");
                         });

}  // namespace
}  // namespace hanet::test
