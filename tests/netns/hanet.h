// SPDX-License-Identifier: Apache-2.0
//
// One hanetd on one node of a lab, used as an administrator uses it.
//
// Everything is asked through hanetctl --json, so every test of a switchover is a test of hanetctl
// too. Only what no daemon can answer (it is stopped, or dead) is read from the pinned maps.
// A field that is missing in an answer throws, which ends the test with the field's name.
#pragma once

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/child.h"
#include "core/fd.h"
#include "netns/lab.h"

namespace hanet::test {

using nlohmann::json;

/// How `hanetctl status` ends when a group is not protected.
inline constexpr int kNotProtected = 5;

/// Where one of the product's programs is: of this build, or in the directory $HANET_TEST_PROGRAMS
/// (built with a sanitizer, under the same tests).
std::string program(const std::string& name);

class Hanet {
 public:
  /// Writes the configuration; starts nothing. `options`: what hanetd is called with besides.
  Hanet(const Lab& lab, std::string node, const std::string& config, Arguments options = {});
  Hanet(const Hanet&) = delete;
  Hanet& operator=(const Hanet&) = delete;
  ~Hanet();

  void start();
  /// SIGTERM; the exit code.
  int stop();
  /// SIGKILL, and gone when this returns.
  void kill();
  void freeze() const { ::kill(pid(), SIGSTOP); }
  void thaw() const { ::kill(pid(), SIGCONT); }
  /// Whether the kernel has really stopped it.
  [[nodiscard]] bool frozen() const;
  [[nodiscard]] pid_t pid() const { return child_ ? child_->pid() : -1; }
  [[nodiscard]] bool running() { return child_ && child_->running(); }
  [[nodiscard]] std::string log() const;
  /// How long its main thread has run (proc(5), schedstat).
  [[nodiscard]] std::chrono::nanoseconds ran() const;

  /// hanetctl with this daemon's directories.
  [[nodiscard]] bench::Output ctl(const Arguments& arguments) const;
  /// A hanetctl that goes on, its output in `file`.
  [[nodiscard]] bench::Child ctl_in_background(const Arguments& arguments,
                                               const std::filesystem::path& file) const;
  /// One request in JSON and its answer on one of its sockets, without a program for each; null
  /// when nobody answered.
  [[nodiscard]] json on_socket(const std::string& socket, const std::string& request) const;
  /// hanetctl --json; null when it refused or nobody answered.
  [[nodiscard]] json ask(const Arguments& arguments) const;
  [[nodiscard]] json group() const { return ask({"status"}).at("groups").at(0); }
  [[nodiscard]] json path(const std::string& port) const;
  [[nodiscard]] json session(const std::string& port) const { return path(port).at("session"); }
  [[nodiscard]] std::string active() const { return group().at("active"); }
  /// Not, too, while nobody answers: a busy machine is no verdict about the product.
  [[nodiscard]] bool is_on(const std::string& port) const;
  [[nodiscard]] json switchovers() const { return ask({"explain"}).at("switchovers"); }
  /// What it takes to fail over: hot, every path is up; cold, the active one is.
  [[nodiscard]] bool ready() const;

  [[nodiscard]] const std::string& node() const { return node_; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] const std::filesystem::path& pins() const { return pins_; }

  /// Reads one entry of a pinned map, by default an array; throws when there is none.
  template <typename Value, typename Key = std::uint32_t>
  [[nodiscard]] Value pinned(const std::string& map, const Key& key) const {
    Value value{};
    const Fd fd(bpf_obj_get((pins_ / map).c_str()));
    if (bpf_map_lookup_elem(fd.get(), &key, &value) != 0)
      throw std::runtime_error("no entry in the pinned map " + map);
    return value;
  }
  template <typename Value>
  [[nodiscard]] bool write_pinned(const std::string& map, std::uint32_t index,
                                  const Value& value) const {
    const Fd fd(bpf_obj_get((pins_ / map).c_str()));
    return bpf_map_update_elem(fd.get(), &index, &value, BPF_ANY) == 0;
  }

 private:
  const Lab& lab_;
  std::string node_;
  Arguments options_;
  std::filesystem::path directory_;
  std::filesystem::path pins_;
  std::unique_ptr<bench::Child> child_;
};

}  // namespace hanet::test
