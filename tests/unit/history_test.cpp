// SPDX-License-Identifier: Apache-2.0
//
// The memory of switchovers is numbered and bounded (O4).
#include <gtest/gtest.h>

#include "failover/record.h"

namespace hanet::failover {
namespace {

SwitchoverRecord record_of(const std::string& group) {
  SwitchoverRecord record;
  record.group = group;
  return record;
}

TEST(History, O4_NumbersSwitchoversInTheirOrder) {
  History history;
  EXPECT_EQ(history.add(record_of("a")).number, 1U);
  EXPECT_EQ(history.add(record_of("b")).number, 2U);
  ASSERT_EQ(history.records().size(), 2U);
  EXPECT_EQ(history.records().front().group, "a");
  EXPECT_EQ(history.records().back().group, "b");
}

TEST(History, O4_ForgetsTheOldestFirstAndKeepsTheNumbers) {
  History history;
  for (int i = 0; i < 200; ++i) history.add(record_of(std::to_string(i)));
  ASSERT_EQ(history.records().size(), 64U);
  EXPECT_EQ(history.records().front().number, 137U);
  EXPECT_EQ(history.records().back().number, 200U);
  EXPECT_EQ(history.records().back().group, "199");
}

TEST(History, O4_GivesBackTheRecordThatItKeeps) {
  History history;
  for (int i = 0; i < 100; ++i) {
    const SwitchoverRecord& kept = history.add(record_of("x"));
    EXPECT_EQ(&kept, &history.records().back());
  }
}

}  // namespace
}  // namespace hanet::failover
