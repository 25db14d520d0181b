// SPDX-License-Identifier: Apache-2.0
//
// Configuration files on disk: the ones that cannot be read, and the one that is installed (O2).
//
// A service that starts at boot meets files that are missing, half copied or not files at all. Each
// gets a message that names the file and the reason, and none may block the start. The example is
// tested in two ways, as it is and with every commented key in force, because people will do just
// that: remove a "# " and expect the result to be right.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/config.h"
#include "config/limits.h"
#include "config_samples.h"

namespace hanet::config {
namespace {

using samples::in_timing;

/// The error text, or what shows that there was none.
std::string error_of(const Result<Config>& config) {
  return config ? "accepted" : config.error().message;
}

/// A directory of its own for each test.
class ConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = std::filesystem::temp_directory_path() / "hanet-config-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::filesystem::path write(std::string_view text) const {
    const std::filesystem::path file = directory_ / "hanet.toml";
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }

  std::filesystem::path directory_;
};

TEST_F(ConfigFile, O2_IsReadFromDisk) {
  const Result<Config> config = load(write(samples::groups(2)));
  ASSERT_TRUE(config.has_value()) << error_of(config);
  EXPECT_EQ(config->groups.size(), 2U);
}

TEST_F(ConfigFile, O2_IsNamedInItsMessages) {
  const std::filesystem::path file = write(in_timing("interval_us = 7"));
  EXPECT_EQ(error_of(load(file)), file.string() +
                                      ":7: key 'group[0].heartbeat.interval_us': found 7, "
                                      "allowed: 100 to 10000000");
}

TEST_F(ConfigFile, O2_ThatDoesNotExistIsRefused) {
  const Result<Config> config = load(directory_ / "none.toml");
  EXPECT_EQ(error_of(config),
            (directory_ / "none.toml").string() + ": cannot open: No such file or directory");
  EXPECT_EQ(config.error().code, ENOENT);
}

// A package brings such a file; a service that has nothing to do has not failed.
TEST_F(ConfigFile, O2_InWhichNothingIsConfiguredIsToldFromAWrongOne) {
  for (const std::string_view nothing : {"", "# [[group]]\n", "[daemon]\nlog_level = \"debug\"\n"})
    EXPECT_EQ(load(write(nothing)).error().code, ENODATA) << nothing;
  for (const std::string_view wrong : {"[[grup]]\n", "[daemon]\nlog_level = \"loud\"\n",
                                       "group = []\n", "[[group]]\n", "[[group\n"})
    EXPECT_EQ(load(write(wrong)).error().code, 0) << wrong;
}

TEST_F(ConfigFile, O2_ThatCannotBeOpenedIsRefused) {
  std::filesystem::create_symlink("loop.toml", directory_ / "loop.toml");
  const Result<Config> config = load(directory_ / "loop.toml");
  EXPECT_EQ(error_of(config), (directory_ / "loop.toml").string() +
                                  ": cannot open: Too many levels of symbolic links");
  EXPECT_EQ(config.error().code, ELOOP);
}

TEST_F(ConfigFile, O2_ThatCannotBeReadIsRefused) {
  // Reading the unmapped first page of a process fails; the file itself opens.
  const Result<Config> config = load("/proc/self/mem");
  EXPECT_EQ(error_of(config), "/proc/self/mem: cannot read: Input/output error");
  EXPECT_EQ(config.error().code, EIO);
}

TEST_F(ConfigFile, O2_ThatIsADirectoryIsRefused) {
  EXPECT_EQ(error_of(load(directory_)),
            directory_.string() + ": found a directory, allowed: a TOML file");
}

TEST_F(ConfigFile, O2_ThatIsAPipeIsRefusedWithoutWaitingForAWriter) {
  const std::filesystem::path pipe = directory_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error_of(load(pipe)),
            pipe.string() + ": found a device, pipe or socket, allowed: a TOML file");
}

TEST_F(ConfigFile, O2_OfOneMebibyteIsTheLargest) {
  std::string text = samples::groups(1);
  while (text.size() < kMaxFileBytes) text += "# filler\n";
  text.resize(kMaxFileBytes, '\n');
  EXPECT_EQ(error_of(load(write(text))), "accepted");
  const std::filesystem::path file = write(text + "\n");
  EXPECT_EQ(error_of(load(file)),
            file.string() + ": found more than 1048576 bytes, allowed: up to 1048576 bytes");
}

TEST(ExampleConfig, O2_ThatIsInstalledIsRightAndShowsTheDefaults) {
  const std::filesystem::path file =
      std::filesystem::path(__FILE__).parent_path() / "../../tools/install/hanet.toml";
  const Result<Config> config = load(file);
  ASSERT_TRUE(config.has_value()) << error_of(config);
  ASSERT_EQ(config->groups.size(), 1U);
  EXPECT_EQ(config->groups[0].name, "mether0");
}

/// The example with every commented key in force: "# key = " becomes "key = ".
std::string uncommented(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string text;
  for (std::string line; std::getline(in, line);) {
    const bool has_key = line.starts_with("# ") && line.find(" = ") != std::string::npos;
    const bool has_table = line.starts_with("# [");
    text += (has_key || has_table ? line.substr(2) : line) + "\n";
  }
  return text;
}

TEST(ExampleConfig, O2_IsRightWithEveryCommentedKeyToo) {
  const std::filesystem::path file =
      std::filesystem::path(__FILE__).parent_path() / "../../tools/install/hanet.toml";
  const Result<Config> config = parse(uncommented(file), "hanet.toml");
  ASSERT_TRUE(config.has_value()) << error_of(config);
  ASSERT_EQ(config->groups.size(), 9U);
  EXPECT_EQ(config->groups[1].standby_mode, StandbyMode::Cold);
  EXPECT_EQ(config->groups[2].paths[0].ports.size(), 4U);
  EXPECT_EQ(config->groups[2].paths[1].ports[3].interface, "eth11");
  EXPECT_EQ(config->groups[8].paths.size(), 3U);
  EXPECT_TRUE(config->groups[8].take_over);
  const GroupConfig defaults;
  EXPECT_EQ(config->groups[0].live.interval, defaults.live.interval);
  EXPECT_EQ(config->groups[0].live.multiplier, defaults.live.multiplier);
  EXPECT_EQ(config->groups[0].live.up_count, defaults.live.up_count);
  EXPECT_EQ(config->groups[0].live.link_poll, defaults.live.link_poll);
  EXPECT_EQ(config->groups[0].announce_count, defaults.announce_count);
  EXPECT_EQ(config->groups[0].announce_gap, defaults.announce_gap);
  EXPECT_EQ(config->groups[1].cold_retry, defaults.cold_retry);
}

}  // namespace
}  // namespace hanet::config
