// SPDX-License-Identifier: Apache-2.0
//
// A fixture for heartbeats of kind hanet: two ends, each with a file of keys and a configuration
// that signs.
#pragma once

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "netns/lab_test.h"

namespace hanet::test {

inline const std::string kOldKey = "000102030405060708090a0b0c0d0e0f\n";
inline const std::string kNewKey = "f0e1d2c3b4a5968778695a4b3c2d1e0f\n";

class SignedPair : public LabTest {
 protected:
  std::filesystem::path keys_of(const std::string& node) const {
    return lab().directory() / (node + ".keys");
  }
  /// As a careful administrator: whole, or not at all.
  void write_keys(const std::string& node, const std::string& keys) const {
    const std::filesystem::path fresh = keys_of(node).string() + ".new";
    std::ofstream(fresh) << keys;
    ASSERT_EQ(::chmod(fresh.c_str(), 0600), 0);
    std::filesystem::rename(fresh, keys_of(node));
  }
  /// What the lab writes, with heartbeats that are signed; `target`: in place of its target.
  std::string config_of(const std::string& node, const Settings& settings = {},
                        const std::string& target = "") const {
    Result<std::string> config = lab().config(node, settings);
    EXPECT_TRUE(config) << config.error().message;
    const std::string kind = "kind = \"arp\"\n";
    config->replace(config->find(kind), kind.size(),
                    fmt::format("kind = \"hanet\"\nkey_file = \"{}\"\n", keys_of(node).string()));
    const std::string usual = "target = \"192.0.2.10\"\n";
    if (!target.empty()) config->replace(config->find(usual), usual.size(), target);
    return *config;
  }
  /// Both ends of two cables, each with its keys.
  void begin(const std::string& keys_of_a, const std::string& keys_of_b) {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Crossover));
    ASSERT_NO_FATAL_FAILURE(write_keys("a", keys_of_a));
    ASSERT_NO_FATAL_FAILURE(write_keys("b", keys_of_b));
    start_pair("a", "b");
  }
  /// hanetd with the configurations of a and b, on these nodes.
  void start_pair(const std::string& on_a, const std::string& on_b) {
    for (const auto& [end, node] : {std::pair("a", on_a), std::pair("b", on_b)})
      daemons().push_back(std::make_unique<Hanet>(lab(), node, config_of(end), hanetd_options()));
    for (const auto& daemon : daemons()) daemon->start();
  }
  static std::uint64_t rejected(const Hanet& daemon, const std::string& port, const char* reason) {
    return daemon.path(port).at("port").at("rejected").value(reason, std::uint64_t{0});
  }
};

}  // namespace hanet::test
