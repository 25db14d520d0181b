// SPDX-License-Identifier: Apache-2.0
//
// Is hanetd in a sandbox in the tests of networks (spec S5)? All of them would pass without one,
// and say nothing of the unit. Each thing that is refused here is done without the sandbox as well:
// the witness that it can be done at all.
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "bench/child.h"
#include "netns/hanet.h"

namespace hanet::test {
namespace {

constexpr auto kLimit = std::chrono::seconds(20);

Arguments as_the_unit(const std::string& unit, const Arguments& command) {
  Arguments all{HANET_AS_THE_UNIT, unit, "/tmp", "--"};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

class AsTheUnit : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "skipped: needs root for network namespaces and eBPF";
  }
  static int status_of(const Arguments& command) { return bench::run(command, kLimit)->exit_code; }
  static std::string unit() { return HANET_INSTALL_FILES "/hanetd.service.in"; }
};

TEST_P(AsTheUnit, S5_IsRefusedWhatTheUnitRefuses) {
  const Arguments command{"sh", "-c", GetParam()};
  EXPECT_EQ(status_of(command), 0) << "the witness";
  EXPECT_NE(status_of(as_the_unit(unit(), command)), 0);
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, AsTheUnit,
    testing::Values("unshare -U true",               // RestrictNamespaces=
                    "f=$(mktemp -p /etc) && rm $f",  // ProtectSystem=
                    "v=$(cat /proc/sys/kernel/printk) && "
                    "echo $v >/proc/sys/kernel/printk",                  // ReadOnlyPaths=
                    "grep -q . /proc/kallsyms",                          // InaccessiblePaths=
                    "f=$(mktemp) && trap 'rm $f' EXIT && chmod u+s $f",  // RestrictSUIDSGID=
                    "f=$(mktemp) && trap 'rm $f' EXIT && chown 1 $f",    // CapabilityBoundingSet=
                    "setarch -R true",                                   // SystemCallFilter=
                    "dmesg"));                                           // ProtectKernelLogs=

TEST_F(AsTheUnit, S5_MayDoWhatTheUnitMay) {
  const std::string script =
      "v=$(cat /proc/sys/net/core/somaxconn) && echo $v >/proc/sys/net/core/somaxconn && "
      "f=$(mktemp) && rm $f && ip link show dev lo";
  EXPECT_EQ(status_of(as_the_unit(unit(), {"sh", "-c", script})), 0);
}

TEST_F(AsTheUnit, S5_ASettingThatItDoesNotKnowIsAnError) {
  const std::string file = std::filesystem::temp_directory_path() / "hanet-test.service";
  std::ofstream(file) << "[Service]\nProtectEverything=yes\n";
  const bench::Output said = *bench::run(as_the_unit(file, {"true"}), kLimit);
  EXPECT_NE(said.exit_code, 0);
  EXPECT_THAT(said.error, testing::HasSubstr("ProtectEverything=yes of the unit is not known"));
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace hanet::test
