// SPDX-License-Identifier: Apache-2.0
//
// tools/lab, held by an object: a network in namespaces that ends with the test.
//
// The lab is kept by a process of its own (`lab up --hold`) that removes everything when it is
// asked to end, and the kernel asks it when this process dies, however it dies. So a test that
// crashes or is killed at its time limit leaves no namespace, no process and no pin behind. The id
// comes from the process id: tests of several checkouts can run at the same time.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/child.h"
#include "core/result.h"

namespace hanet::test {

using bench::Arguments;

enum class Topology : std::uint8_t { Switch, Crossover, TwoSwitches, Firewall, Trunk, StaticTrunk };
/// tools/lab's word for it.
[[nodiscard]] std::string_view word_of(Topology topology);

/// Two nodes that have something to say to each other, and the address that the server is asked at.
struct Conversation {
  std::string server;
  std::string address;
  std::string client;
  std::string client_address;
};

/// What a daemon of this lab is configured with; the rest is what `tools/lab config` writes.
struct Settings {
  std::string mode{};  ///< empty: hot, on the firewall warm
  int family = 4;
  std::string heartbeat = "arp";
  bool bridging = true;
  unsigned interval_us = 0;  ///< 0: HANET_TEST_INTERVAL_US from the environment, or 1000
  unsigned multiplier = 3;
  unsigned threshold = 50;   ///< of a trunk
  std::string group_keys{};  ///< further lines for [[group]]
};

class Lab {
 public:
  /// Builds a lab and returns when it is ready.
  [[nodiscard]] static Result<std::unique_ptr<Lab>> up(Topology topology);
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;
  ~Lab();

  [[nodiscard]] Topology topology() const { return topology_; }
  /// Nodes that run hanet, the monitored host first.
  [[nodiscard]] Arguments hanet_nodes() const;
  /// What the failover of a path could interrupt: every address of each host that runs hanet is
  /// asked from the other end, and on the firewall the inside from the outside and back.
  [[nodiscard]] std::vector<Conversation> conversations() const;
  /// Name of a node's network namespace.
  [[nodiscard]] std::string netns(const std::string& node) const;
  [[nodiscard]] std::filesystem::path pin_directory(const std::string& node) const;
  /// A directory of this lab in /tmp.
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

  /// `more`: options of `lab fault`, such as --node.
  [[nodiscard]] Status fault(const std::string& kind, const std::string& path = "primary",
                             const Arguments& more = {}) const;
  [[nodiscard]] Status heal(const std::string& path = "all") const;
  /// What a person on the host of a trunk does: `ip link set PORT up|down`.
  [[nodiscard]] Status link(const std::string& state, const std::string& port) const;
  /// `ip -n NODE ...`; the command is split at spaces.
  [[nodiscard]] Status ip(const std::string& node, const std::string& command) const;
  /// A command line that runs `command` in a node's namespace.
  [[nodiscard]] Arguments in(const std::string& node, const Arguments& command) const;
  [[nodiscard]] Result<std::string> config(const std::string& node, const Settings& settings) const;

 private:
  explicit Lab(Topology topology);
  [[nodiscard]] Arguments command(const Arguments& arguments) const;

  Topology topology_;
  std::string id_;
  std::filesystem::path directory_;
  std::unique_ptr<bench::Child> holder_;
};

}  // namespace hanet::test
