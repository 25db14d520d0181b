// SPDX-License-Identifier: Apache-2.0
//
// Every fault, in every mode, on every network: the host stays reachable and stays itself.
//
// The faults that no link state shows (one direction only, a silent hole) are the reason why hanet
// exists, and "it switched" proves little: a switchover that loses a label, a metric or a MAC
// address is found a week later. So each cell compares the identity field by field, asks the host
// over both families at every address, looks that nothing stayed behind, and lets an observer see
// every message on the way (F2, F4, F8, M1).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <list>

#include "netns/lab_test.h"
#include "netns/observer.h"

namespace hanet::test {
namespace {

struct Cell {
  std::string fault;
  std::string mode;
  Topology topology;
  int family;
};

// NOLINTNEXTLINE(readability-identifier-naming): gtest looks for this name
void PrintTo(const Cell& cell, std::ostream* out) {
  *out << cell.fault << ' ' << cell.mode << ' ' << word_of(cell.topology) << " IPv" << cell.family;
}

std::string name_of(const testing::TestParamInfo<Cell>& info) {
  std::string name = testing::PrintToString(info.param);
  std::string words;
  bool start = true;
  for (const char letter : name) {
    const bool is_word = std::isalnum(static_cast<unsigned char>(letter)) != 0;
    if (is_word) words += start ? static_cast<char>(std::toupper(letter)) : letter;
    start = !is_word;
  }
  return words;
}

std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  for (const Topology topology :
       {Topology::Switch, Topology::Crossover, Topology::TwoSwitches, Topology::Firewall})
    for (const char* fault :
         {"carrier", "blackhole", "one-way-out", "one-way-in", "flap", "switch"})
      for (const char* mode : {"hot", "cold", "warm"})
        for (const int family : {4, 6}) {
          const bool has_switches =
              topology == Topology::TwoSwitches || topology == Topology::Firewall;
          if (fault == std::string("switch") && !has_switches) continue;
          if ((topology == Topology::Firewall) != (mode == std::string("warm"))) continue;
          cells.push_back({.fault = fault, .mode = mode, .topology = topology, .family = family});
        }
  return cells;
}

class AfterAFault : public LabTest, public testing::WithParamInterface<Cell> {
 protected:
  // A flap ends with a working cable, so either path is right, but exactly one carries everything.
  std::string where_it_ended() {
    if (GetParam().fault != "flap") return "p1";
    EXPECT_TRUE(await("no switchover is on its way",
                      [&] { return host().group().at("switching_to").is_null(); }));
    return host().active();
  }
};

TEST_P(AfterAFault, F2_F4_F8_TheHostIsReachableAndItsIdentityIsWholeOnOnePath) {
  const Cell& cell = GetParam();
  const bool warm = cell.mode == "warm";
  ASSERT_NO_FATAL_FAILURE(
      bring_up(cell.topology,
               {.mode = cell.mode, .family = cell.family, .group_keys = warm ? kWarmDummy : ""}));
  ASSERT_TRUE(echo().reaches_every_address());
  const SeenIdentity before = identity_on(host_netns(), "p0");
  ASSERT_FALSE(before.empty());
  std::list<Observer> observers;
  for (const auto& daemon : daemons()) observers.emplace_back(lab().netns(daemon->node()));

  ASSERT_DONE(lab().fault(cell.fault));
  if (cell.fault != "flap") {
    ASSERT_TRUE(all_on("p1"));
  }
  EXPECT_TRUE(echo().reaches_every_address());

  const std::string now = where_it_ended();
  EXPECT_TRUE(await("both ends on the same path", [&] {
    return std::ranges::all_of(daemons(), [&](const auto& one) { return one->active() == now; });
  }));
  EXPECT_TRUE(carries(now, before));
  const std::string other = now == "p1" ? "p0" : "p1";
  EXPECT_TRUE(warm ? wears_dummy(other) : is_bare(other, before));
  for (Observer& observer : observers) EXPECT_THAT(observer.violations(), testing::IsEmpty());
  for (const json& record : host().switchovers()) {
    EXPECT_EQ(record.at("outcome"), "complete") << record.dump(2);
    EXPECT_NE(record.at("cause"), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, AfterAFault, testing::ValuesIn(all_cells()), name_of);

}  // namespace
}  // namespace hanet::test
