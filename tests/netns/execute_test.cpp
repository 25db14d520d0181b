// SPDX-License-Identifier: Apache-2.0
//
// A plan carried out on a real kernel: what is verified, tried again, and given back (F12).
//
// Each test has a network namespace of its own with two cards, and `ip -j` tells what came of it.
// The announcements are put on the wire between the last message and the first look at the result;
// there the tests disturb what was done, as another program or a driver would.
#include "failover/execute.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "net/capture.h"
#include "net/link.h"
#include "netns/own_netns.h"

namespace hanet::failover {
namespace {

using nlohmann::json;
using test::in_new_namespace;
using test::ip;

/// `ip -j ...` here; null when it fails.
json told(const std::string& arguments) {
  std::string command = fmt::format("ip -j {} 2>/dev/null", arguments);
  std::string text;
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) return nullptr;
  for (int c = 0; (c = std::fgetc(output)) != EOF;) text.push_back(static_cast<char>(c));
  ::pclose(output);
  return json::parse(text.empty() ? "[]" : text, nullptr, false);
}

std::vector<std::string> addresses_of(const std::string& interface) {
  std::vector<std::string> all;
  for (const json& link : told("addr show dev " + interface))
    for (const json& address : link.value("addr_info", json::array()))
      if (address.at("scope") != "link") all.push_back(address.at("local"));
  return all;
}

class Execute : public test::OwnNetns {
 protected:
  /// Two cards with their cables in; one has an identity of addresses and routes.
  static void build() {
    for (const char* command :
         {"link add one type veth peer name one-cable",
          "link add two type veth peer name two-cable", "link set lo up", "link set one-cable up",
          "link set two-cable up", "link set one up", "link set two up",
          "addr add 192.0.2.1/24 brd + dev one",
          "addr add 192.0.2.2/24 brd + dev one label one:web",
          "addr add 2001:db8::1/64 dev one nodad", "route add 10.1.0.0/16 via 192.0.2.9 dev one",
          "route add 2001:db8:a::/48 via 2001:db8::9 dev one"})
      ASSERT_TRUE(ip(command)) << command;
  }
  static constexpr std::size_t kManyRoutes = 2'000;
  static void give_many_routes() {
    std::FILE* batch = ::popen("ip -batch -", "w");
    ASSERT_NE(batch, nullptr);
    for (std::size_t i = 0; i < kManyRoutes; ++i)
      fmt::print(batch, "route add 20.{}.{}.{}/26 via 192.0.2.9 dev one\n", i >> 10, (i >> 2) & 255,
                 (i & 3) << 6);
    ASSERT_EQ(::pclose(batch), 0);
  }
  static net::LinkInfo link(net::NetlinkSocket& socket, const char* name) {
    return net::find_link(socket, name).value();
  }
  static Plan plan_to(net::NetlinkSocket& socket, const char* from, const char* to,
                      bool cold = false) {
    const net::Identity identity = net::capture(socket, link(socket, from).interface).value();
    const net::LinkInfo there = link(socket, to);
    PlanSettings settings;
    settings.cold = cold;
    settings.spare_mac = there.mac;
    return make_plan(identity, there.interface, there.mac, settings);
  }
  struct Result {
    Execution done;
    int announced = 0;
  };
  /// Moves the identity from one to two; `meanwhile` happens at each announcement.
  static Result move(const std::function<void(int time)>& meanwhile, bool cold = false,
                     const CalledAway& called_away = {}) {
    net::NetlinkSocket socket = net::NetlinkSocket::open().value();
    Plan plan = plan_to(socket, "one", "two", cold);
    const auto way_back = [&] {
      const net::Identity there = plan.expected;
      PlanSettings settings;
      settings.spare_mac = plan.spare_mac;
      return make_plan(there, link(socket, "one").interface, link(socket, "one").mac, settings);
    };
    Result result;
    result.done = execute(
        socket, plan, way_back, [&](const Plan&) { meanwhile(++result.announced); }, called_away);
    return result;
  }
  static std::string problems(const Execution& done) {
    return fmt::format("{}", fmt::join(done.problems, "; "));
  }
};

TEST_F(Execute, F12_WhatWasNotDisturbedIsCompleteWithoutASecondAttempt) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    const Result result = move([](int) {});
    EXPECT_EQ(result.done.outcome, Outcome::Complete) << problems(result.done);
    EXPECT_EQ(result.announced, 1);
    EXPECT_EQ(addresses_of("two"),
              (std::vector<std::string>{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
    EXPECT_TRUE(addresses_of("one").empty());
    for (const StepResult& step : result.done.steps) EXPECT_EQ(step.result, "ok") << step.name;
  });
}

TEST_F(Execute, F12_WhatIsMissingIsSentASecondTimeAndAnnouncedAgain) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    const Result result = move([](int time) {
      if (time != 1) return;
      ASSERT_TRUE(ip("addr del 192.0.2.2/24 dev two"));
      ASSERT_TRUE(ip("route del 10.1.0.0/16 dev two"));
      ASSERT_TRUE(ip("-6 route del 2001:db8:a::/48 dev two"));
    });
    EXPECT_EQ(result.announced, 2);
    EXPECT_EQ(result.done.outcome, Outcome::Complete) << problems(result.done);
    EXPECT_EQ(addresses_of("two"),
              (std::vector<std::string>{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
    EXPECT_EQ(told("route show 10.1.0.0/16 dev two").size(), 1U);
    EXPECT_EQ(told("-6 route show 2001:db8:a::/48 dev two").size(), 1U);
  });
}

TEST_F(Execute, F14_WhatIsMissingAfterTheSecondAttemptIsSaid) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    const Result result = move([](int) { ASSERT_TRUE(ip("route del 10.1.0.0/16 dev two")); });
    EXPECT_EQ(result.announced, 2);
    EXPECT_EQ(result.done.outcome, Outcome::Incomplete);
    EXPECT_EQ(result.done.problems,
              (std::vector<std::string>{"missing route 10.1.0.0/16 via 192.0.2.9 table 254"}));
  });
}

// More routes than go out at once.
TEST_F(Execute, F18_TheHostIsAnnouncedBeforeTheLastOfItsRoutes) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    ASSERT_NO_FATAL_FAILURE(give_many_routes());
    std::size_t then = 0;
    std::vector<std::string> addresses;
    const Result result = move([&](int) {
      then = told("route show via 192.0.2.9 dev two").size();
      addresses = addresses_of("two");
    });
    EXPECT_EQ(result.done.outcome, Outcome::Complete) << problems(result.done);
    EXPECT_EQ(result.announced, 1);
    EXPECT_EQ(addresses, (std::vector<std::string>{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
    EXPECT_GT(then, 0U);
    EXPECT_LT(then, kManyRoutes);
    EXPECT_EQ(told("route show via 192.0.2.9 dev two").size(), kManyRoutes + 1);
  });
}

TEST_F(Execute, F18_WhoIsCalledAwayLeavesTheLastRoutesAndSaysThatNobodyLooked) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    ASSERT_NO_FATAL_FAILURE(give_many_routes());
    const Result result = move([](int) {}, false, [] { return true; });
    EXPECT_EQ(result.done.outcome, Outcome::Incomplete) << "nobody knows";
    EXPECT_EQ(problems(result.done), "not looked at to the end, because another fault came");
    EXPECT_EQ(result.announced, 1);
    EXPECT_EQ(result.done.lacking.routes.size(), kManyRoutes + 2) << "what was not looked at";
    EXPECT_EQ(addresses_of("two"),
              (std::vector<std::string>{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
    EXPECT_LT(told("route show via 192.0.2.9 dev two").size(), kManyRoutes);
  });
}

// Addresses stay on an IPv4 interface that is down: all of it is there, and nobody is reached.
TEST_F(Execute, F12_AnInterfaceThatIsDownIsNoPlaceForTheIdentity) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    for (const char* command :
         {"-6 addr flush dev one", "route del 10.1.0.0/16", "-6 addr flush dev two"})
      ASSERT_TRUE(ip(command)) << command;
    const Result result = move([](int) { ASSERT_TRUE(ip("link set two down")); });
    EXPECT_EQ(result.done.outcome, Outcome::RolledBack);
    EXPECT_FALSE(result.done.problems.empty()) << "the reason is recorded";
    EXPECT_TRUE(problems(result.done).contains("two is down")) << problems(result.done);
    EXPECT_EQ(addresses_of("one"), (std::vector<std::string>{"192.0.2.1", "192.0.2.2"}));
    EXPECT_TRUE(addresses_of("two").empty());
  });
}

TEST_F(Execute, F1_AColdStandbyThatIsDownAgainIsSetUpByTheSecondAttempt) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    ASSERT_TRUE(ip("link set two down"));
    const Result result = move(
        [](int time) {
          if (time != 1) return;
          ASSERT_TRUE(ip("link set two down"));
        },
        true);
    EXPECT_EQ(result.done.outcome, Outcome::Complete) << problems(result.done);
    EXPECT_EQ(result.announced, 2);
    EXPECT_TRUE(told("link show dev two").at(0).at("flags").dump().contains("\"UP\""));
  });
}

// As after a driver that refuses a new MAC address while its interface is up.
TEST_F(Execute, F4_ColdTheOldPortStaysDownWhenItsMacAddressIsSetAnew) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    ASSERT_TRUE(ip("link set two down"));
    const std::string mac = told("link show dev one").at(0).at("address");
    const Result result = move(
        [&](int) {
          const json one = told("link show dev one").at(0);
          ASSERT_NE(one.at("address"), mac) << "nothing was moved yet";
          ASSERT_FALSE(one.at("flags").dump().contains("\"UP\""));
          ASSERT_TRUE(ip("link set one address " + mac));
        },
        true);
    EXPECT_EQ(result.done.outcome, Outcome::Complete) << problems(result.done);
    const json one = told("link show dev one").at(0);
    EXPECT_NE(one.at("address"), mac);
    EXPECT_FALSE(one.at("flags").dump().contains("\"UP\"")) << one.at("flags");
    EXPECT_EQ(told("link show dev two").at(0).at("address"), mac);
  });
}

TEST_F(Execute, F12_AnInterfaceThatIsGoneGivesTheIdentityBackWithTheReason) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    const Result result = move([](int time) {
      if (time != 1) return;
      ASSERT_TRUE(ip("link del two"));
    });
    EXPECT_EQ(result.done.outcome, Outcome::RolledBack);
    EXPECT_TRUE(problems(result.done).contains("interface ")) << problems(result.done);
    EXPECT_EQ(addresses_of("one"),
              (std::vector<std::string>{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
    EXPECT_EQ(told("route show 10.1.0.0/16 dev one").size(), 1U);
  });
}

// The caller puts nothing back that was not there: who took it off before is told by this.
TEST_F(Execute, F15_ARemovalThatFoundNothingIsNoFailureAndIsTold) {
  in_new_namespace([] {
    ASSERT_NO_FATAL_FAILURE(build());
    net::NetlinkSocket socket = net::NetlinkSocket::open().value();
    Plan plan = plan_to(socket, "one", "two");
    ASSERT_TRUE(ip("addr del 192.0.2.2/24 dev one"));
    const Execution done =
        execute(socket, plan, [&] { return no_way_back(plan); }, [](const Plan&) {});
    EXPECT_EQ(done.outcome, Outcome::Complete) << problems(done);
    ASSERT_TRUE(plan.address_removal);
    const StepResult& removal = done.steps.at(*plan.address_removal);
    EXPECT_EQ(removal.result, "ok");
    // Last one first: behind the two IPv6 addresses.
    EXPECT_EQ(removal.unchanged, std::vector<std::size_t>{2});
  });
}

}  // namespace
}  // namespace hanet::failover
