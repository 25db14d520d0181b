// SPDX-License-Identifier: Apache-2.0
//
// The fixture of tests in which the next hanetd takes over what a killed one left (D7): stopped or
// killed in the middle of its start, and what a client sees meanwhile.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <string>
#include <thread>

#include "bench/outage_meter.h"
#include "netns/survival.h"

namespace hanet::test {

/// The next hanetd, stopped in the middle of its start.
class TakingOver : public Survival {
 protected:
  [[nodiscard]] std::uint64_t pin_of_sessions() {
    struct stat status{};
    return ::stat((host().pins() / "sessions").c_str(), &status) == 0 ? status.st_ino : 0;
  }
  /// As late as can be. How long a start takes here is not known, so it is tried, each time a bit
  /// earlier, until the old sessions still watch when it is stopped.
  testing::AssertionResult freeze_before_it_takes_over() {
    for (auto delay = std::chrono::milliseconds(2000); delay.count() > 20; delay = delay * 4 / 5) {
      if (!await("the old one watches", [&] { return both_are_up(); })) break;
      const std::uint64_t old_pin = pin_of_sessions();
      host().start();
      std::this_thread::sleep_for(delay);
      host().freeze();
      if (!await("it is stopped", [&] { return host().frozen(); })) break;
      if (pin_of_sessions() == old_pin && both_are_up()) return testing::AssertionSuccess();
      host().kill();
    }
    return testing::AssertionFailure() << "it was never stopped in time";
  }
  /// Its first looks, some milliseconds later, end the old programs.
  void start_until_it_took_over() {
    const std::size_t before_it = host().log().size();
    const auto took_over = [&] {
      return host().log().find("took over", before_it) < std::string::npos;
    };
    host().start();
    for (int look = 0; look < 50'000 && !took_over(); ++look)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    ASSERT_TRUE(took_over());
  }
  /// A machine that is busy may be too late for it.
  void kill_while_both_are_there() {
    for (int attempt = 0; attempt < 10; ++attempt) {
      ASSERT_NO_FATAL_FAILURE(start_until_it_took_over());
      host().kill();
      if (programs_at("p1", engine::Direction::Egress) > 1) return;
    }
    FAIL() << "the old programs were always gone already";
  }
  /// Stopped before it moves the identity, which refuses packets for a moment.
  void expect_bridged_across_a_takeover() {
    const Conversation talk = lab().conversations().front();
    auto meter = bench::OutageMeter::open(
        {.a = {.netns = lab().netns(talk.server), .address = talk.address},
         .b = {.netns = lab().netns(talk.client), .address = talk.client_address},
         .packets_per_second = 2000,
         .longest_run = std::chrono::seconds(30)});
    ASSERT_TRUE(meter) << meter.error().message;
    const Status counts = (*meter)->start();
    ASSERT_TRUE(counts) << counts.error().message;
    ASSERT_NO_FATAL_FAILURE(start_until_it_took_over());
    host().freeze();
    ASSERT_TRUE(await("it is stopped", [&] { return host().frozen(); }));
    EXPECT_TRUE(echo().reaches_every_address());
    const bench::MeterReport report = (*meter)->stop();
    EXPECT_TRUE(carries("p0", before) && mode_of("p0") == HANET_STEER_BRIDGE_OUT)
        << "the witness: it has not moved the identity yet";
    EXPECT_GT(report.a_to_b.received, 100U) << "the witness";
    EXPECT_EQ(report.a_to_b.lost, 0U) << "sent by the host";
    EXPECT_EQ(report.b_to_a.lost, 0U) << "sent to the host";
    host().thaw();
    ASSERT_TRUE(all_on("p1"));
    EXPECT_TRUE(carries("p1", before));
  }
  bool has_one_at_each_hook() {
    for (const std::string port : {"p0", "p1"})
      for (const auto direction : {engine::Direction::Ingress, engine::Direction::Egress})
        if (programs_at(port, direction) != 1) return false;
    return true;
  }

 private:
  bool both_are_up() {
    return state_of("p0") == HANET_SESSION_UP && state_of("p1") == HANET_SESSION_UP;
  }
};

}  // namespace hanet::test
