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

class AnyIdentity : public ManagerTest, public testing::WithParamInterface<unsigned> {
 protected:
  std::string mode() const { return kModes[GetParam() % kModes.size()]; }
  std::string kind_of_fault() const { return kFaults[GetParam() / kModes.size() % kFaults.size()]; }
  /// Puts it on p0. What the kernel takes is the identity.
  void apply(const RandomIdentity& identity) {
    Arguments batch{"bash", "-c", R"(printf '%s\n' "$@" | ip -force -batch - || true)", "apply"};
    batch.insert(batch.end(), identity.commands.begin(), identity.commands.end());
    const Result<std::string> done =
        bench::run_checked(lab().in("host", batch), std::chrono::seconds(10));
    ASSERT_TRUE(done) << done.error().message;
    inside(host_netns(), [&] {
      for (const auto& [setting, value] : identity.settings) {
        const std::size_t slash = setting.rfind('/');
        std::ofstream(fmt::format("/proc/sys/net/{}/p0/{}", setting.substr(0, slash),
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
  ASSERT_NO_FATAL_FAILURE(apply(identity));
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

// More of them: tests/README.md.
INSTANTIATE_TEST_SUITE_P(Seed, AnyIdentity,
                         testing::Range(from_environment("HANET_TEST_SEED", 0),
                                        from_environment("HANET_TEST_SEED", 0) +
                                            from_environment("HANET_TEST_COUNT", 6)),
                         [](const auto& cell) { return fmt::format("{}", cell.param); });

}  // namespace
}  // namespace hanet::test
