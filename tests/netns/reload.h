// SPDX-License-Identifier: Apache-2.0
//
// What tests of a reload have in common: the file that hanetd reads, written anew, and the kernel's
// own numbers of what is attached.
#pragma once

#include <fmt/format.h>
#include <sys/resource.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "netns/lab_test.h"

namespace hanet::test {

class Reload : public LabTest {
 protected:
  std::filesystem::path file() { return host().directory() / "hanet.toml"; }
  std::string text() {
    std::ifstream stream(file());
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string& content) { std::ofstream(file(), std::ios::trunc) << content; }
  /// Replaces a key's line, in whatever table it is.
  static std::string with(std::string content, const std::string& key, const std::string& value) {
    const std::size_t begin = content.find("\n" + key + " ");
    EXPECT_NE(begin, std::string::npos) << key << " is not in " << content;
    const std::size_t end = content.find('\n', begin + 1);
    return content.replace(begin, end - begin, fmt::format("\n{} = {}", key, value));
  }
  bench::Output reload(const Arguments& more = {}) {
    Arguments arguments{"reload"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return host().ctl(arguments);
  }
  hanet_session kernel_session(std::uint32_t index) {
    return host().pinned<hanet_session>("sessions", index);
  }
  /// The numbers of the links by which this hanetd has attached XDP programs (proc(5), fdinfo).
  std::set<std::string> links() {
    std::set<std::string> found;
    for (const auto& entry :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/fdinfo", host().pid()))) {
      std::ifstream file(entry.path());
      const std::string info{std::istreambuf_iterator<char>(file), {}};
      const std::size_t id = info.find("link_id:");
      if (id == std::string::npos || !info.contains("link_type:\txdp")) continue;
      found.insert(info.substr(id, info.find('\n', id) - id));
    }
    return found;
  }
  /// The limit below which hanetd has so many free descriptors.
  rlim_t limit_for(int spare) {
    std::set<int> taken;
    for (const auto& entry :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", host().pid())))
      taken.insert(std::stoi(entry.path().filename().string()));
    int limit = 0;
    for (int free = 0; free < spare; ++limit)
      if (!taken.contains(limit)) ++free;
    return static_cast<rlim_t>(limit);
  }
  void allow_descriptors(rlim_t below) {
    const rlimit limit{.rlim_cur = below, .rlim_max = 4096};
    ASSERT_EQ(::prlimit(host().pid(), RLIMIT_NOFILE, &limit, nullptr), 0) << std::strerror(errno);
  }
  std::vector<std::string> groups() {
    std::vector<std::string> names;
    const json status = host().ask({"status"});
    for (const json& group : status.at("groups")) names.push_back(group.at("name"));
    return names;
  }
};

}  // namespace hanet::test
