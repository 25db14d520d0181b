// SPDX-License-Identifier: Apache-2.0
//
// Whatever an interface has, it is there after a switchover, or hanetd does not say "complete"
// (F2, F4, F13, F14).
//
// Identities are made at random and looked at with `ip -d -j` and /proc before and after, there
// and back, with each kind of standby and fault. One that fails has its seed in the name and its
// commands in the message; shrunk by hand it becomes a named test beside its kind.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "netns/manager.h"
#include "netns/random_identity.h"

namespace hanet::test {
namespace {

constexpr std::array kModes{"hot", "warm", "cold"};
constexpr std::array kFaults{"carrier", "blackhole"};

unsigned from_environment(const char* name, unsigned otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : static_cast<unsigned>(std::stoul(value));
}

class RandomIdentities : public ManagerTest, public testing::WithParamInterface<unsigned> {
 protected:
  /// Puts it on an interface. What the kernel takes is the identity.
  void apply(const RandomIdentity& identity, const std::string& port) {
    Arguments batch{"bash", "-c", R"(printf '%s\n' "$@" | ip -force -batch - || true)", "apply"};
    batch.insert(batch.end(), identity.commands.begin(), identity.commands.end());
    const Result<std::string> done =
        bench::run_checked(lab().in("host", batch), std::chrono::seconds(10));
    ASSERT_TRUE(done) << done.error().message;
    inside(host_netns(), [&] {
      for (const auto& [setting, value] : identity.settings) {
        const std::size_t slash = setting.rfind('/');
        std::ofstream(fmt::format("/proc/sys/net/{}/{}/{}", setting.substr(0, slash), port,
                                  setting.substr(slash + 1)))
            << value;
      }
    });
  }
  struct Seen {
    SeenIdentity identity;
    SeenSettings settings;
  };
  Seen look(const std::string& port) {
    return {.identity = identity_on(host_netns(), port),
            .settings = settings_on(host_netns(), port)};
  }
};

class AnyIdentity : public RandomIdentities {
 protected:
  std::string mode() const { return kModes[GetParam() % kModes.size()]; }
  std::string kind_of_fault() const { return kFaults[GetParam() / kModes.size() % kFaults.size()]; }
  /// The identity and its settings are on `port`, or hanetd knows that they are not all there.
  void expect_whole(const std::string& port, const Seen& before) {
    std::vector<std::string> lines;
    const auto whole = [&] {
      const Seen now = look(port);
      lines = differences(before.identity, now.identity);
      for (std::string& line : differences(before.settings, now.settings))
        lines.push_back(std::move(line));
      return lines.empty();
    };
    if (await("all of it is there", whole)) return;
    const std::string text = fmt::format("{}: {}", port, fmt::join(lines, "\n  "));
    if (host().switchovers().back().at("outcome") == "complete")
      ADD_FAILURE() << text << "\n" << host().log();
    else
      fmt::print("seed {}, known to be incomplete: {}\n", GetParam(), text);
  }
};

TEST_P(AnyIdentity, F2_F4_F13_F14_IsWholeOnTheOtherPortAndBackOrCalledIncomplete) {
  std::mt19937 random(GetParam());
  const RandomIdentity identity = random_identity(random, "p0");
  SCOPED_TRACE(fmt::format("{} standby, {}\n  ip {}\n  {}", mode(), kind_of_fault(),
                           fmt::join(identity.commands, "\n  ip "),
                           fmt::join(identity.settings, "\n  ")));
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(apply(identity, "p0"));
  const Seen before = look("p0");
  // The witness: how much of it the kernel took.
  RecordProperty("commands", static_cast<int>(identity.commands.size()));
  RecordProperty(
      "parts", static_cast<int>(before.identity.addresses.size() + before.identity.nexthops.size() +
                                before.identity.routes.size() + before.identity.rules.size() +
                                before.identity.neighbours.size()));
  ASSERT_NO_FATAL_FAILURE(start({.mode = mode(), .group_keys = {}}));
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault(kind_of_fault()));
  ASSERT_TRUE(all_on("p1"));
  ASSERT_NO_FATAL_FAILURE(expect_whole("p1", before));
  ASSERT_DONE(lab().heal());
  ASSERT_TRUE(all_ready());
  ASSERT_DONE(lab().fault(kind_of_fault(), "standby"));
  ASSERT_TRUE(all_on("p0"));
  ASSERT_NO_FATAL_FAILURE(expect_whole("p0", before));
}

// With a metanetwork device nothing moves, so nothing can be lost: what is there is the same, and
// nobody hears of a change.
class AnyIdentityOfADevice : public RandomIdentities {
 protected:
  std::string kind_of_fault() const { return kFaults[GetParam() % kFaults.size()]; }
  void begin() {
    ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
    ASSERT_DONE(lab().ip("host", "address flush dev p0"));
    ASSERT_NO_FATAL_FAILURE(start({.mode = "metanet", .group_keys = {}}));
    ASSERT_TRUE(all_ready());
  }
  void expect_unchanged(const Seen& before) {
    const Seen now = look("mether0");
    EXPECT_THAT(differences(before.identity, now.identity), testing::IsEmpty());
    EXPECT_THAT(differences(before.settings, now.settings), testing::IsEmpty());
  }
};

TEST_P(AnyIdentityOfADevice, A3_F13_IsWhereItWasWhateverFails) {
  std::mt19937 random(GetParam());
  const RandomIdentity identity = random_identity(random, "mether0");
  SCOPED_TRACE(fmt::format("{}\n  ip {}\n  {}", kind_of_fault(),
                           fmt::join(identity.commands, "\n  ip "),
                           fmt::join(identity.settings, "\n  ")));
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_NO_FATAL_FAILURE(apply(identity, "mether0"));
  const Seen before = look("mether0");
  // The witness: how much of it the kernel took.
  RecordProperty("commands", static_cast<int>(identity.commands.size()));
  ASSERT_FALSE(before.identity.addresses.empty());
  for (const std::string from : {"primary", "standby"}) {
    ASSERT_DONE(lab().fault(kind_of_fault(), from));
    ASSERT_TRUE(all_on(from == "primary" ? "p1" : "p0"));
    expect_unchanged(before);
    ASSERT_DONE(lab().heal());
    ASSERT_TRUE(all_ready());
  }
}

// More of them: tests/README.md.
INSTANTIATE_TEST_SUITE_P(Seed, AnyIdentity,
                         testing::Range(from_environment("HANET_TEST_SEED", 0),
                                        from_environment("HANET_TEST_SEED", 0) +
                                            from_environment("HANET_TEST_COUNT", 6)),
                         [](const auto& cell) { return fmt::format("{}", cell.param); });
INSTANTIATE_TEST_SUITE_P(Seed, AnyIdentityOfADevice,
                         testing::Range(from_environment("HANET_TEST_SEED", 0),
                                        from_environment("HANET_TEST_SEED", 0) +
                                            from_environment("HANET_TEST_COUNT", 4)),
                         [](const auto& cell) { return fmt::format("{}", cell.param); });

}  // namespace
}  // namespace hanet::test
