// SPDX-License-Identifier: Apache-2.0
//
// Random files, good and bad, under traffic (spec O8).
//
// The test does not know which file is good: hanetd says so. One that is taken is what runs, one
// that is refused has changed nothing, and whatever comes, no path is called down, no connection
// ends, and nothing is left over: descriptors, maps, programs, threads, memory.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "netns/lab_test.h"
#include "netns/tcp_talk.h"

namespace hanet::test {
namespace {

/// Makes configuration files out of one that is good.
class Files {
 public:
  Files(std::string plain, unsigned seed) : plain_(std::move(plain)), random_(seed) {}

  std::string next() {
    std::string text = plain_;
    for (int changes = any(4); changes > 0; --changes) change_a_value(text);
    if (any(3) == 0) text += second_group();
    switch (any(8)) {
      case 0:
        return broken(text);
      case 1:
        return misused(text);
      default:
        return text;
    }
  }

 private:
  int any(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  int between(int least, int most) { return least + any(most - least + 1); }

  /// What can change at once, and now and then what can not, or a value that is not allowed.
  void change_a_value(std::string& text) {
    struct Key {
      const char* table;
      const char* name;
      std::function<std::string()> value;
    };
    const std::array<Key, 13> keys{{
        {"[group.heartbeat]", "multiplier", [&] { return fmt::format("{}", between(3, 20)); }},
        {"[group.heartbeat]", "up_count", [&] { return fmt::format("{}", between(1, 9)); }},
        {"[group.heartbeat]", "interval_us",
         [&] { return fmt::format("{}", between(5, 30) * 1000); }},
        {"[group.heartbeat]", "link_poll_us",
         [&] { return fmt::format("{}", between(1, 40) * 1000); }},
        {"[[group]]", "announce_count", [&] { return fmt::format("{}", between(1, 5)); }},
        {"[[group]]", "announce_gap_ms", [&] { return fmt::format("{}", between(10, 500)); }},
        {"[[group]]", "delay_ms", [&] { return fmt::format("{}", any(1000)); }},
        {"[[group]]", "cold_retry_ms", [&] { return fmt::format("{}", between(1000, 9000)); }},
        {"[[group]]", "daemon_loss_ms", [&] { return fmt::format("{}", between(4, 60) * 1000); }},
        {"[[group]]", "on_daemon_loss",
         [&] { return std::string(any(2) == 0 ? "\"detect\"" : "\"release\""); }},
        {"[daemon]", "log_level",
         [&] { return std::string(any(2) == 0 ? "\"info\"" : "\"notice\""); }},
        {"[group.heartbeat]", "multiplier", [&] { return fmt::format("{}", any(2000) - 1000); }},
        {"[[group]]", "delay_ms", [&] { return std::string("\"soon\""); }},
    }};
    const Key& key = keys.at(static_cast<std::size_t>(any(static_cast<int>(keys.size()))));
    set(text, key.table, key.name, key.value());
  }

  /// In the place of the key's line, or behind the first line of its table.
  static void set(std::string& text, const std::string& table, const std::string& key,
                  const std::string& value) {
    const std::string line = fmt::format("\n{} = {}", key, value);
    const std::size_t there = text.find("\n" + key + " ");
    if (there != std::string::npos)
      text.replace(there, text.find('\n', there + 1) - there, line);
    else if (const std::size_t at = text.find(table); at != std::string::npos)
      text.insert(at + table.size(), line);
    else
      text.insert(0, table + line + "\n");
  }

  std::string second_group() {
    return fmt::format(
        "\n[[group]]\nname = \"mether1\"\nprimary = \"q0\"\nstandby = \"q1\"\nbridging = {}\n"
        "[group.heartbeat]\ntarget = \"198.51.100.{}\"\ninterval_us = {}\n",
        any(2) == 0, any(3) == 0 ? 10 : 9, between(5, 20) * 1000);
  }

  /// No file any more: cut off, or with a byte that no file may have (another letter would make
  /// another group of it).
  std::string broken(std::string text) {
    const auto at = static_cast<std::size_t>(any(static_cast<int>(text.size())));
    switch (any(3)) {
      case 0:
        return text.substr(0, at);
      case 1:
        text[at] = static_cast<char>(any(2) == 0 ? 1 + any(8) : 0x80 + any(64));
        return text;
      default:
        return text.insert(at, std::string(static_cast<std::size_t>(between(1, 9)), '['));
    }
  }

  /// A file that asks for what can not be.
  std::string misused(const std::string& text) {
    const std::array<std::string, 7> wrongs{
        "\n[[group]]\nname = \"x\"\n",
        "\n[[group]]\nname = \"mether0\"\nprimary = \"q0\"\nstandby = \"q1\"\n"
        "[group.heartbeat]\ntarget = \"198.51.100.9\"\n",
        "\n[[group]]\nname = \"y\"\nprimary = \"p0\"\nstandby = \"q1\"\n"
        "[group.heartbeat]\ntarget = \"198.51.100.9\"\n",
        "\n[[group]]\nname = \"z\"\nprimary = \"q0\"\nstandby = \"nowhere\"\n"
        "[group.heartbeat]\ntarget = \"198.51.100.9\"\n",
        "\n[[group]]\nname = \"own\"\nprimary = \"q0\"\nstandby = \"q1\"\n"
        "[group.heartbeat]\ntarget = \"198.51.100.1\"\n",
        "\nmultiplyer = 3\n",
        "\n[grupp]\n",
    };
    return text + wrongs.at(static_cast<std::size_t>(any(static_cast<int>(wrongs.size()))));
  }

  std::string plain_;
  std::mt19937 random_;
};

class RandomReloads : public LabTest {
 protected:
  std::filesystem::path file() { return host().directory() / "hanet.toml"; }
  void write(const std::string& content) { std::ofstream(file(), std::ios::trunc) << content; }

  json reload() { return host().on_socket("hanetd.sock", R"({"command":"reload"})"); }
  json running() { return host().on_socket("hanetd.sock", R"({"command":"running"})"); }
  hanet_session kernel_session(std::uint32_t index) {
    return host().pinned<hanet_session>("sessions", index);
  }

  /// What a leak would add to, by name.
  std::map<std::string, std::size_t> held() {
    std::map<std::string, std::size_t> count;
    const std::string proc = fmt::format("/proc/{}/", host().pid());
    for (const auto& entry : std::filesystem::directory_iterator(proc + "fdinfo")) {
      std::ifstream stream(entry.path());
      const std::string info{std::istreambuf_iterator<char>(stream), {}};
      ++count["descriptors"];
      for (const char* kind : {"map_id", "prog_id", "link_id"})
        if (info.contains(kind)) ++count[kind];
    }
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(proc + "task"))
      ++count["threads"];
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(host().pins()))
      ++count["pins"];
    return count;
  }
  std::size_t resident_kib() { return kib("VmRSS:"); }
  /// By its shadow memory, some TiB of addresses.
  bool is_sanitized() { return kib("VmSize:") > std::size_t{1} << 30; }
  /// A line of its /proc/PID/status.
  std::size_t kib(const std::string& name) {
    std::ifstream stream(fmt::format("/proc/{}/status", host().pid()));
    for (std::string line; std::getline(stream, line);)
      if (line.starts_with(name)) return std::stoul(line.substr(name.size()));
    return 0;
  }
  /// One file; returns whether it was taken.
  bool round(const std::string& content) {
    const json before = running();
    write(content);
    const bool taken = reload().at("ok").get<bool>();
    if (taken)
      EXPECT_TRUE(reload().at("changes").at("groups").empty()) << "not all of it runs: " << content;
    else
      EXPECT_EQ(running(), before) << "refused, and something is different: " << content;
    return taken;
  }
};

TEST_F(RandomReloads, O8_NoneCostsAVerdictOrAConnectionAndNothingIsLeftOver) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(add_second_ports());
  std::ifstream stream(file());
  const std::string plain{std::istreambuf_iterator<char>(stream), {}};
  Files files(plain, 17);
  // More than CI has time for: HANET_TEST_RELOADS=10000.
  const char* const asked = std::getenv("HANET_TEST_RELOADS");
  const int rounds = asked == nullptr ? 60 : std::atoi(asked);

  TcpTalk talk(lab(), lab().conversations().front(), 5001);
  ASSERT_TRUE(talk.begins());
  // What is kept for good is there after some of them.
  for (int warm = 0; warm < 20; ++warm) round(files.next());
  ASSERT_TRUE(round(plain));
  const auto held_before = held();
  const std::size_t memory_before = resident_kib();
  const std::uint32_t session = kernel_session(0).id;
  int taken = 0;
  for (int number = 0; number < rounds; ++number) {
    taken += round(files.next()) ? 1 : 0;
    ASSERT_TRUE(talk.answers()) << "after " << number << " reloads";
  }
  ASSERT_TRUE(round(plain));
  EXPECT_GT(taken, rounds / 4) << "the witness: files were taken";
  EXPECT_LT(taken, rounds * 9 / 10) << "the witness: files were refused";
  EXPECT_TRUE(await("it holds no more than before",
                    [&] {
                      return std::ranges::all_of(held(), [&](const auto& one) {
                        return one.second <= held_before.at(one.first);
                      });
                    }))
      << testing::PrintToString(held()) << " and before " << testing::PrintToString(held_before);
  // A sanitizer keeps what is freed, so as to find who uses it, and has an eye on leaks itself.
  if (!is_sanitized()) {
    EXPECT_LT(resident_kib(), memory_before + 2048) << "KiB of memory";
  }
  EXPECT_EQ(kernel_session(0).id, session) << "no key was changed that restarts this group";
  EXPECT_EQ(kernel_session(0).down_verdicts, 0U);
  EXPECT_EQ(kernel_session(1).down_verdicts, 0U);
  for (const char* port : {"p0", "p1"})
    EXPECT_FALSE(host().log().contains(fmt::format("mether0: path {} is down", port)))
        << host().log();
  EXPECT_TRUE(host().switchovers().empty());
  // And it protects.
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(talk.answers());
  RecordProperty("taken", taken);
  fmt::print("{} reloads, {} taken; memory {} KiB, then {} KiB\n", rounds, taken, memory_before,
             resident_kib());
}

}  // namespace
}  // namespace hanet::test
