// SPDX-License-Identifier: Apache-2.0
//
// What is kept of an identity beyond hanetd, and which files are not believed (F3).
//
// A root service configures a network from this file, so the tests of what is refused weigh as much
// as the one of what is read back.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "identity_samples.h"
#include "snapshot/store.h"

namespace hanet::snapshot {
namespace {

const MonotonicTime kNow{std::chrono::hours(5)};

class SnapshotFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hanet-snapshot-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  SnapshotStore save() {
    SnapshotStore store(directory_, "mether0");
    auto written = store.write(net::samples::identity_with_vlans(), {"eth0", "eth1"}, kNow);
    EXPECT_TRUE(written && store.put_in_place(std::move(*written)));
    return store;
  }
  std::string bytes() const {
    std::ifstream file(directory_ / "mether0.snapshot", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void write(const std::string& bytes) const {
    std::ofstream(directory_ / "mether0.snapshot", std::ios::binary | std::ios::trunc) << bytes;
  }
  /// A head that is right for a text.
  static std::string with_head(const std::string& text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    const SnapshotHead head{.magic = {'h', 'a', 'n', 'e', 't', 's', 'n', 'p'},
                            .version = 4,
                            .unused = 0,
                            .bytes = text.size(),
                            .checksum = hash,
                            .moving_to = 0,
                            .ended_ns = 0};
    return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + text;
  }
  std::string refusal(const std::string& group = "mether0") const {
    const Result<std::optional<KeptSnapshot>> kept = SnapshotStore(directory_, group).load();
    if (kept) return *kept ? "used" : "none";
    const std::string& text = kept.error().message;
    return text.substr(text.find("not used: ") + 10);
  }

  std::filesystem::path directory_;
};

TEST_F(SnapshotFile, F3_IsReadBackFieldByField) {
  static_cast<void>(save());
  const Result<std::optional<KeptSnapshot>> kept = SnapshotStore(directory_, "mether0").load();
  ASSERT_TRUE(kept && *kept) << refusal();
  const Snapshot& read = (*kept)->snapshot;
  EXPECT_EQ(read.identity, net::samples::identity_with_vlans());
  EXPECT_EQ(read.group, "mether0");
  EXPECT_EQ(read.ports, (std::vector<std::string>{"eth0", "eth1"}));
  EXPECT_EQ(read.taken_at, kNow);
  EXPECT_EQ((*kept)->moving_to, std::nullopt);
  EXPECT_EQ((*kept)->ended, std::nullopt);
}

TEST_F(SnapshotFile, F3_RemembersASwitchoverThatRunsAndAnOrderlyEnd) {
  SnapshotStore store = save();
  const auto kept = [&] { return **SnapshotStore(directory_, "mether0").load(); };
  store.moves_to(0);
  EXPECT_EQ(kept().moving_to, std::optional<std::size_t>(0));
  store.moves_to(1);
  EXPECT_EQ(kept().moving_to, std::optional<std::size_t>(1));
  store.moves_no_more();
  EXPECT_EQ(kept().moving_to, std::nullopt);
  store.ends(kNow + std::chrono::seconds(1));
  EXPECT_EQ(kept().ended, kNow + std::chrono::seconds(1));
}

TEST_F(SnapshotFile, F3_IsPrivateAndLeavesNothingBesideIt) {
  static_cast<void>(save());
  struct stat status{};
  ASSERT_EQ(::stat((directory_ / "mether0.snapshot").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(SnapshotFile, F3_WhereNoneIsNothingIsSaid) { EXPECT_EQ(refusal(), "none"); }

TEST_F(SnapshotFile, F3_IsNotBelievedWhereverItIsCutOrChanged) {
  static_cast<void>(save());
  const std::string good = bytes();
  for (std::size_t length = 0; length < good.size(); ++length) {
    write(good.substr(0, length));
    ASSERT_NE(refusal(), "used") << "cut at " << length;
  }
  // What a switchover says is no part of what is kept.
  for (std::size_t at = 0; at < good.size(); ++at) {
    const bool unsaid =
        (at >= offsetof(SnapshotHead, unused) && at < offsetof(SnapshotHead, bytes)) ||
        (at >= offsetof(SnapshotHead, moving_to) && at < sizeof(SnapshotHead));
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write(changed);
    ASSERT_EQ(refusal() == "used", unsaid) << "changed at " << at;
  }
  write(good);
  EXPECT_EQ(refusal(), "used") << "the witness";
}

TEST_F(SnapshotFile, F3_WithARightChecksumTheTextMustStillBeASnapshot) {
  static_cast<void>(save());
  const std::string text = bytes().substr(sizeof(SnapshotHead));
  write(with_head(text));
  ASSERT_EQ(refusal(), "used") << "the witness";
  for (const std::string bad : {"", "{}", "[]", "null", "{\"group\":7}", "\xff"}) {
    write(with_head(bad));
    EXPECT_EQ(refusal(), "it is damaged") << bad;
  }
  for (const std::string key : {"group",
                                "boot",
                                "netns",
                                "ports",
                                "taken_at",
                                "identity",
                                "on",
                                "name",
                                "index",
                                "mac",
                                "vlans",
                                "tag",
                                "addresses",
                                "family",
                                "prefix_length",
                                "scope",
                                "flags",
                                "local",
                                "peer",
                                "broadcast",
                                "label",
                                "preferred_seconds",
                                "valid_seconds",
                                "priority",
                                "protocol",
                                "vlan",
                                "routes",
                                "header",
                                "attributes",
                                "rules",
                                "neighbours"}) {
    std::string without = text;
    ASSERT_NE(without.find("\"" + key + "\":"), std::string::npos) << key;
    without.replace(without.find("\"" + key + "\":"), key.size() + 3, "\"x\":");
    write(with_head(without));
    EXPECT_EQ(refusal(), "it is damaged") << key;
  }
  // What is behind a key, once: half a byte, no digits, a byte too much, another type.
  for (const auto& [what, instead] : std::vector<std::pair<std::string, std::string>>{
           {"\"local\":\"c0000201\"", "\"local\":\"c000020\""},
           {"\"local\":\"c0000201\"", "\"local\":\"c00002zz\""},
           {"\"local\":\"c0000201\"", "\"local\":\"c000020100\""},
           {"\"local\":\"c0000201\"", "\"local\":[192,0,2,1]"},
           {"\"mac\":\"020000000001\"", "\"mac\":\"0200000001\""},
           {"\"mac\":\"020000000001\"", "\"mac\":null"},
           {"\"header\":\"", "\"header\":\"00"},
           {"\"priority\":null", "\"priority\":\"1\""},
           {"\"family\":2", "\"family\":\"2\""},
           {"\"prefix_length\":24", "\"prefix_length\":280"},
           {"\"attributes\":\"", "\"attributes\":\"0400"},      // cut off
           {"\"attributes\":\"", "\"attributes\":\"03000000"},  // shorter than a header
           {"\"attributes\":\"", "\"attributes\":\"0400ffff"},  // not in order
           {"\"attributes\":\"", "\"attributes\":[7],\"x\":\""}}) {
    std::string changed = text;
    ASSERT_NE(changed.find(what), std::string::npos) << what;
    changed.replace(changed.find(what), what.size(), instead);
    write(with_head(changed));
    EXPECT_EQ(refusal(), "it is damaged") << instead;
  }
}

TEST_F(SnapshotFile, F18_F3_WhatIsWrittenCountsWhenItIsInPlaceAndWhatIsDroppedNeverAgain) {
  SnapshotStore store = save();
  const std::string before = bytes();
  net::Identity other = net::samples::identity_with_vlans();
  other.routes.pop_back();
  auto written = store.write(other, {"eth0", "eth1"}, kNow);
  ASSERT_TRUE(written);
  EXPECT_EQ(bytes(), before) << "a switchover may begin before it is in place";
  ASSERT_TRUE(store.put_in_place(std::move(*written)));
  EXPECT_NE(bytes(), before);
  EXPECT_EQ(refusal(), "used");
  store.drop();
  EXPECT_EQ(refusal(), "none");
  store.moves_to(1);  // into nothing
  EXPECT_EQ(refusal(), "none");
}

TEST_F(SnapshotFile, F3_OfAnotherBootNamespaceGroupOrVersionIsNotUsed) {
  static_cast<void>(save());
  const std::string good = bytes(), text = good.substr(sizeof(SnapshotHead));
  std::optional<Snapshot> snapshot = parse_snapshot(text);
  ASSERT_TRUE(snapshot);
  Snapshot other = *snapshot;
  other.boot = "00000000-0000-0000-0000-000000000000";
  write(with_head(to_text(other)));
  EXPECT_EQ(refusal(), "the host was booted since");
  other = *snapshot;
  other.netns = "net:[1]";
  write(with_head(to_text(other)));
  EXPECT_EQ(refusal(), "it is of another network namespace");
  other = *snapshot;
  other.group = "mether1";
  write(with_head(to_text(other)));
  EXPECT_EQ(refusal(), "it is of the group mether1");
  std::string newer = good;
  newer[8] = 5;
  write(newer);
  EXPECT_EQ(refusal(), "it is of another version of hanet");
}

TEST_F(SnapshotFile, F3_ThatSomebodyElseMayHaveWrittenIsNotUsed) {
  static_cast<void>(save());
  const std::filesystem::path file = directory_ / "mether0.snapshot";
  for (const mode_t mode : {0640U, 0620U, 0604U, 0602U}) {
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
    EXPECT_EQ(refusal(), "somebody else may have written it") << mode;
  }
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  EXPECT_EQ(refusal(), "used") << "the witness";
  std::filesystem::rename(file, directory_ / "elsewhere");
  std::filesystem::create_symlink(directory_ / "elsewhere", file);
  EXPECT_NE(refusal(), "used") << "a symbolic link";
  std::filesystem::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  EXPECT_EQ(refusal(), "somebody else may have written it") << "and nobody waits for its writer";
}

TEST(Aged, F3_LifetimesRunDownAndWhatIsOverIsGone) {
  net::Identity identity = net::samples::identity();
  net::Address brief = identity.addresses.front(), longer = brief;
  brief.valid_seconds = brief.preferred_seconds = 10;
  longer.valid_seconds = 100;
  longer.preferred_seconds = 5;
  identity.addresses.push_back(brief);
  identity.addresses.push_back(longer);
  const std::size_t all = identity.addresses.size();
  EXPECT_EQ(aged(identity, std::chrono::seconds(0)), identity);
  const net::Identity later = aged(identity, std::chrono::seconds(10));
  ASSERT_EQ(later.addresses.size(), all - 1);
  EXPECT_EQ(later.addresses.back().valid_seconds, 90U);
  EXPECT_EQ(later.addresses.back().preferred_seconds, 0U);
  EXPECT_EQ(later.addresses.front().valid_seconds, UINT32_MAX) << "for ever is for ever";
}

}  // namespace
}  // namespace hanet::snapshot
