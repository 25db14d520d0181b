// SPDX-License-Identifier: Apache-2.0
//
// One lab with its daemons, driven from outside, as an administrator would.
//
// The bench only uses what everybody can use: tools/lab, hanetd, hanetctl. So it measures what is
// shipped, and nothing in the product knows that it is being measured. One lab and one daemon per
// node serve all trials; the destructor stops the daemons, then removes the lab and the files.
//
// Threading: main thread only (see Child). Every call is bounded in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/child.h"
#include "bench/outage_meter.h"
#include "bench/switch_ports.h"
#include "core/result.h"

namespace hanet::bench {

enum class Topology : std::uint8_t { Switch, Crossover, Trunk };

/// The programs that belong to the running one: beside it in a build directory, else in PATH; and
/// tools/lab of the checkout that it was built in, else of the current directory.
[[nodiscard]] std::filesystem::path program_of_this_build(const std::string& name);
[[nodiscard]] std::filesystem::path lab_of_this_build();

struct LabOptions {
  Topology topology = Topology::Switch;
  int family = 4;  ///< 4 or 6
  std::string mode = "hot";
  std::string heartbeat = "arp";
  std::string bridging = "true";
  std::uint32_t interval_us = 200;
  std::uint32_t multiplier = 3;
  bool with_hanet = true;
  std::filesystem::path lab = lab_of_this_build();
  std::filesystem::path hanetd = program_of_this_build("hanetd");
  std::filesystem::path hanetctl = program_of_this_build("hanetctl");
};

/// Why a daemon does not see a fault: it stands still (SIGSTOP), or is dead (SIGKILL).
enum class Absence : std::uint8_t { None, Frozen, Killed };

/// What one node's hanet says of itself.
struct NodeState {
  std::string active;  ///< port that has the identity
  std::size_t active_path = 0;
  std::string speaker;                       ///< a trunk's port that frames come in by
  bool ready = false;                        ///< hot: every path is up; cold: the active one is
  std::vector<std::string> paths;            ///< port names, of a trunk joined by "+"
  std::vector<std::size_t> ports;            ///< per path, same order: how many it has
  std::vector<std::size_t> lost_ports;       ///< per path, same order
  std::vector<std::uint64_t> down_verdicts;  ///< per path, same order
};

class LabSession {
 public:
  /// Builds the lab, starts the daemons and waits until all are ready.
  [[nodiscard]] static Result<std::unique_ptr<LabSession>> open(const LabOptions& options);
  LabSession(const LabSession&) = delete;
  LabSession& operator=(const LabSession&) = delete;
  ~LabSession();

  /// The nodes that run hanet, the monitored host (crossover: a) first; none without hanet.
  [[nodiscard]] const std::vector<std::string>& nodes() const { return nodes_; }
  [[nodiscard]] MeterOptions meter_options() const;

  /// Takes the daemons out of the way; the kernel side is on its own. Returns when it is so.
  [[nodiscard]] Status take_daemons_away(Absence absence);
  /// The other way: they run again, and have not answered yet.
  [[nodiscard]] Status bring_daemons_back(Absence absence);

  /// A blackhole and a lost carrier take microseconds, every other kind some programs.
  [[nodiscard]] Status fault(const std::string& kind, const std::string& path,
                             const Arguments& more = {});
  [[nodiscard]] Status heal();
  /// Only what took no program.
  [[nodiscard]] Status heal_ports() { return switch_ports_.heal(); }

  [[nodiscard]] Result<NodeState> state(const std::string& node);
  /// The switchovers of a node, newest last.
  [[nodiscard]] Result<nlohmann::json> switchovers(const std::string& node);
  [[nodiscard]] std::chrono::microseconds detection_time() const {
    return std::chrono::microseconds(options_.interval_us) * options_.multiplier;
  }
  /// `hanetctl watch` into a file, as long as the returned program lives.
  [[nodiscard]] Result<Child> record_events(const std::string& node);
  /// What it wrote so far.
  [[nodiscard]] std::vector<nlohmann::json> recorded_events(const std::string& node) const;
  [[nodiscard]] Status switch_to(const std::string& node, const std::string& port);
  /// Waits until every node is ready.
  [[nodiscard]] Status await_ready(std::chrono::milliseconds limit);
  /// Waits until every node's active path is `port`.
  [[nodiscard]] Status await_active(const std::string& port, std::chrono::milliseconds limit);

 private:
  explicit LabSession(LabOptions options);
  [[nodiscard]] Arguments lab_command(const Arguments& arguments) const;
  /// The switch's ends of the cables that a fault is about; empty: of a path that there is not.
  [[nodiscard]] std::vector<std::string> cables(PortFault how, const std::string& path) const;
  [[nodiscard]] std::filesystem::path run_dir(const std::string& node) const;
  [[nodiscard]] Status start_daemon(const std::string& node);
  [[nodiscard]] Result<nlohmann::json> ask(const std::string& node, const Arguments& request);
  [[nodiscard]] Error with_log(Error error, const std::string& node) const;

  LabOptions options_;
  std::string id_;
  std::filesystem::path directory_;
  std::vector<std::string> nodes_;
  std::vector<Child> daemons_;
  SwitchPorts switch_ports_;
};

}  // namespace hanet::bench
