// SPDX-License-Identifier: Apache-2.0
//
// The fixture of all tests with real packets: a lab, its daemons, and a client that asks.
//
// Without root a test is skipped by name. After a failure the daemons' logs and the last switchover
// are printed, because the namespaces are gone when somebody reads the result.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "hanet/abi.h"
#include "netns/await.h"
#include "netns/echo.h"
#include "netns/hanet.h"
#include "netns/inside.h"
#include "netns/lab.h"
#include "netns/seen_identity.h"

namespace hanet::test {

/// Keys for a warm standby's parameters that tests can recognise.
inline constexpr const char* kWarmDummy =
    "warm = {dummy_address = \"203.0.113.77\", dummy_mac = \"02:dd:00:00:00:01\"}\n"
    "cold_retry_ms = 1000\n";

class LabTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// What every hanetd of the test is called with besides its files.
  [[nodiscard]] virtual Arguments hanetd_options() const;

  /// Builds the network only.
  void build(Topology topology);
  /// Writes configurations and starts the daemons, without waiting.
  void start(const Settings& settings);
  /// The same for the monitored host alone, with a configuration that the lab does not write.
  void start_with(const std::string& config);
  /// All of it, and waits until every daemon is ready. Use with ASSERT_NO_FATAL_FAILURE.
  void bring_up(Topology topology, const Settings& settings = {});

  /// One more interface of the host, up, whose cable leads nowhere. Use with
  /// ASSERT_NO_FATAL_FAILURE.
  void add_interface(const std::string& name) const;
  /// A second group, mether1, on interfaces whose cables lead nowhere: q0, which has an address,
  /// and q1. The latter two: use with ASSERT_NO_FATAL_FAILURE.
  static std::string second_group();
  void add_second_ports() const;
  void start_with_second_group();

  [[nodiscard]] const Lab& lab() const { return *lab_; }
  /// The daemon of the monitored host.
  [[nodiscard]] Hanet& host() { return *daemons_.front(); }
  [[nodiscard]] std::vector<std::unique_ptr<Hanet>>& daemons() { return daemons_; }
  [[nodiscard]] std::string host_netns() const { return lab_->netns(lab_->hanet_nodes().front()); }
  [[nodiscard]] Echo& echo();
  /// Whether detection goes on while hanetd stands still: of silent faults, or of a lost carrier.
  [[nodiscard]] bool kernel_keeps_deadlines() const;
  [[nodiscard]] bool kernel_sees_carriers();
  /// How often a daemon's kernel side looks at a port of the lab in this time: a clock that stands
  /// still with the machine.
  [[nodiscard]] static std::uint64_t polls_in(Hanet& daemon, std::chrono::nanoseconds time);
  /// What the kernel side says of an interface of the host.
  [[nodiscard]] hanet_port port_of(const std::string& interface);
  [[nodiscard]] hanet_steer steer_of(const std::string& interface);

  [[nodiscard]] testing::AssertionResult all_ready();
  /// Every daemon's active path is `port`.
  [[nodiscard]] testing::AssertionResult all_on(const std::string& port);
  /// The host's identity on `port` is `before`, moved.
  [[nodiscard]] testing::AssertionResult carries(const std::string& port,
                                                 const SeenIdentity& before) const;
  /// Down, with the parameters of kWarmDummy and no other.
  [[nodiscard]] testing::AssertionResult wears_dummy(const std::string& port) const;
  /// No address, route, rule or neighbour, and not the identity's MAC address.
  [[nodiscard]] testing::AssertionResult is_bare(const std::string& port,
                                                 const SeenIdentity& identity) const;
  /// An address of the host asks for one of the client, on a VLAN of both ("" or ".5").
  struct Ask {
    std::string vlan{};
    std::string source = "192.0.2.1";
    std::string target = "192.0.2.10";
  };
  /// The host asks by a port that does not have the identity, as `ping -I` does, and the client
  /// hears nobody say that the source is at another MAC address than `mac`.
  void expect_muted(const std::string& port, const Ask& ask, const net::MacAddress& mac);
  /// All of `before` is on p1, p0 is bare, and the client gets its answers. Use with
  /// ASSERT_NO_FATAL_FAILURE.
  void expect_moved(const SeenIdentity& before);

 private:
  std::unique_ptr<Lab> lab_;
  std::vector<std::unique_ptr<Hanet>> daemons_;
  std::unique_ptr<Echo> echo_;
};

/// A step of the test itself that has to work.
#define ASSERT_DONE(operation)                               \
  do {                                                       \
    const ::hanet::Status done_status = (operation);         \
    ASSERT_TRUE(done_status) << done_status.error().message; \
  } while (false)

}  // namespace hanet::test
