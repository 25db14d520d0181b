// SPDX-License-Identifier: Apache-2.0
//
// Key files: what is read, what is refused, and that no message shows a key (S3, O2).
#include "config/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <ostream>

#include "config/config.h"
#include "config_samples.h"

namespace hanet::config {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kOne = "000102030405060708090a0b0c0d0e0f";
constexpr std::string_view kOther = "FFEEDDCCBBAA99887766554433221100";

std::string lines(std::initializer_list<std::string_view> all) {
  std::string text;
  for (const std::string_view line : all) text += std::string(line) + "\n";
  return text;
}

TEST(KeyFile, S3_HoldsOneKeyOrTwoAndTheFirstIsTheFirst) {
  const auto one = parse_keys(lines({kOne}), "k");
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_EQ(one->size(), 1U);
  EXPECT_EQ(one->at(0).half[0], 0x0706050403020100U);
  EXPECT_EQ(one->at(0).half[1], 0x0f0e0d0c0b0a0908U);
  EXPECT_EQ(key_name(one->at(0)), "dd0e0e31");
  const auto two = parse_keys(
      lines({"# made on Monday", "", "  " + std::string(kOther) + "\t\r", std::string(kOne)}), "k");
  ASSERT_TRUE(two) << two.error().message;
  ASSERT_EQ(two->size(), 2U);
  EXPECT_EQ(two->at(0).half[0], 0x8899aabbccddeeffU);
  EXPECT_EQ(two->at(1).id, one->at(0).id);
  EXPECT_TRUE(parse_keys(kOne, "k")) << "the last line needs no end";
}

struct Wrong {
  std::string name;
  std::string text;
  std::string message;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

class WrongKeyFile : public testing::TestWithParam<Wrong> {};

TEST_P(WrongKeyFile, S3_O2_IsToldFileLineFoundAndAllowedAndNothingOfTheKey) {
  const auto keys = parse_keys(GetParam().text, "k");
  ASSERT_FALSE(keys) << "this was accepted";
  EXPECT_EQ(keys.error().message, GetParam().message);
  EXPECT_THAT(keys.error().message, Not(HasSubstr("0001020304")));
}

INSTANTIATE_TEST_SUITE_P(
    Table, WrongKeyFile,
    testing::Values(
        Wrong{"Nothing", "", "k: found no key, allowed: 1 or 2 keys"},
        Wrong{"CommentsOnly", "# none\n\n", "k: found no key, allowed: 1 or 2 keys"},
        Wrong{"Short", lines({kOne.substr(1)}),
              "k:1: found 31 hexadecimal digits, allowed: a key: 32 hexadecimal digits"},
        Wrong{"Long", lines({"#", std::string(kOne) + "0"}),
              "k:2: found 33 hexadecimal digits, allowed: a key: 32 hexadecimal digits"},
        Wrong{"NoDigit", lines({"000102030405060708090a0b0c0d0e0g"}),
              "k:1: found no hexadecimal digit as character 32, allowed: a key: 32 hexadecimal "
              "digits"},
        Wrong{"Zeros", std::string(32, '0'),
              "k:1: found zeros only, allowed: a key: 32 hexadecimal digits"},
        Wrong{"Three", lines({kOne, kOther, "11111111111111111111111111111111"}),
              "k:3: found one more key, allowed: 1 or 2 keys"},
        Wrong{"Twice", lines({kOne, kOne}),
              "k:2: found the key dd0e0e31 again, allowed: each key once"},
        Wrong{"AllAtOnce", lines({"x", kOne, "yy"}),
              "k:1: found no hexadecimal digit as character 1, allowed: a key: 32 hexadecimal "
              "digits\n"
              "k:3: found no hexadecimal digit as character 1, allowed: a key: 32 hexadecimal "
              "digits"}),
    [](const auto& cell) { return cell.param.name; });

TEST(KeyFile, S3_IsRootsAlone) {
  EXPECT_EQ(why_not_secret(0, S_IFREG | 0600), "");
  EXPECT_EQ(why_not_secret(0, S_IFREG | 0400), "");
  EXPECT_EQ(why_not_secret(1000, S_IFREG | 0600), "a file of the user 1000");
  EXPECT_EQ(why_not_secret(0, S_IFREG | 0640), "mode 0640");
  EXPECT_EQ(why_not_secret(0, S_IFREG | 0604), "mode 0604");
  EXPECT_EQ(why_not_secret(0, S_IFREG | 0700), "mode 0700");
  EXPECT_EQ(why_not_secret(0, S_IFREG | 04600), "mode 4600");
  EXPECT_EQ(why_not_secret(0, S_IFDIR | 0700), "no regular file");
}

/// A file that is gone after the test.
class OnDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::string directory = testing::TempDir() + "hanet-keys-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    directory_ = directory;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  [[nodiscard]] std::filesystem::path file(const std::string& name, const std::string& text,
                                           mode_t mode) const {
    const std::filesystem::path path = directory_ / name;
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  [[nodiscard]] std::string refusal(const std::filesystem::path& path) const {
    const auto keys = load_key_file(path);
    EXPECT_FALSE(keys) << "this was accepted";
    return keys ? "" : keys.error().message.substr(directory_.native().size() + 1);
  }
  std::filesystem::path directory_;
};

TEST_F(OnDisk, S3_AKeyFileThatOthersMayReadIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "skipped: only root can make a file of root's";
  const std::string text = lines({kOne});
  EXPECT_TRUE(load_key_file(file("good", text, 0600)));
  EXPECT_EQ(refusal(file("open", text, 0644)),
            "open: found mode 0644, allowed: a regular file of root with mode 0600 or 0400, "
            "because whoever reads a key can forge heartbeats");
  const std::filesystem::path foreign = file("foreign", text, 0600);
  ASSERT_EQ(::chown(foreign.c_str(), 12345, 0), 0);
  EXPECT_EQ(refusal(foreign).substr(0, 49), "foreign: found a file of the user 12345, allowed:");
  EXPECT_EQ(refusal(file("long", std::string(5000, '#'), 0600)),
            "long: found more than 4096 bytes, allowed: up to 4096 bytes");
  EXPECT_EQ(refusal(directory_ / "none"),
            "none: cannot open the key file: No such file or directory");
}

TEST_F(OnDisk, S3_O2_AConfigurationWithAWrongKeyFileIsRefusedWhole) {
  if (::geteuid() != 0) GTEST_SKIP() << "skipped: only root can make a file of root's";
  const std::filesystem::path keys = file("keys", lines({kOne, kOther}), 0600);
  const std::filesystem::path config =
      file("hanet.toml",
           samples::in_heartbeat("kind = \"hanet\"\ntarget = \"192.0.2.10\"\nkey_file = \"" +
                                 keys.native() + "\""),
           0600);
  const Result<Config> good = load(config);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->groups.at(0).keys.size(), 2U);
  ASSERT_EQ(::chmod(keys.c_str(), 0666), 0);
  const Result<Config> bad = load(config);
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr(keys.native() + ": found mode 0666"));
  EXPECT_THAT(bad.error().message, HasSubstr("(key_file of group mether0)"));
}

}  // namespace
}  // namespace hanet::config
