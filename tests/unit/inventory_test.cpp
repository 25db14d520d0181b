// SPDX-License-Identifier: Apache-2.0
//
// hanetd(8) tells people what becomes of each thing, and it is the same list as the product's.
#include "group/inventory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace hanet::group {
namespace {

/// "moves: addresses" and what is said of it.
using Told = std::map<std::string, std::string>;

Told told_by_the_manual() {
  std::ifstream manual(std::filesystem::path(__FILE__).parent_path() /
                       "../../tools/install/hanetd.8");
  Told told;
  std::string word, item;
  bool is_in_section = false;
  for (std::string line; std::getline(manual, line);) {
    if (line.starts_with(".Sh ")) is_in_section = line == ".Sh WHAT MOVES";
    if (!is_in_section) continue;
    if (line.starts_with(".Ss ")) {
      word = line.substr(4);
      item.clear();
    } else if (line.starts_with(".It ")) {
      item = fmt::format("{}: {}", word, line.substr(4));
      told[item];
    } else if (line.starts_with(".El")) {
      item.clear();
    } else if (!item.empty()) {
      std::string& text = told[item];
      text += (text.empty() ? "" : " ") + line;
    }
  }
  return told;
}

TEST(Inventory, F13_TheManualHasEachThingWithItsWordAndWhatHelps) {
  Told listed;
  for (const Thing& thing : inventory())
    listed[fmt::format("{}: {}", to_text(thing.fate), thing.name)] = thing.help;
  const Told told = told_by_the_manual();
  for (const auto& [thing, help] : listed) {
    const auto found = told.find(thing);
    ASSERT_NE(found, told.end()) << "hanetd(8) does not have: " << thing;
    EXPECT_EQ(found->second, help) << thing;
  }
  for (const auto& [thing, help] : told)
    EXPECT_TRUE(listed.contains(thing)) << "only hanetd(8) has: " << thing;
}

}  // namespace
}  // namespace hanet::group
