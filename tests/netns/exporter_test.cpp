// SPDX-License-Identifier: Apache-2.0
//
// What hanet counts, seen from outside: hanet-exporter run by nobody beside a real hanetd (O5, S5).
#include "netns/exporter.h"

#include <civetweb.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <fstream>

#include "exporter/handover.h"
#include "netns/cable.h"

namespace hanet::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class Exporter : public ExporterTest {
 protected:
  [[nodiscard]] double switchovers(const std::string& cause) const {
    return sample(fmt::format("hanet_switchovers_total{{group=\"mether0\",cause=\"{}\"}}", cause));
  }
  [[nodiscard]] static std::string of_path(const std::string& name, const std::string& path,
                                           const std::string& more = {}) {
    return fmt::format("{}{{group=\"mether0\",path=\"{}\"{}}}", name, path, more);
  }
  [[nodiscard]] testing::AssertionResult path_is(const std::string& path,
                                                 const std::string& health) {
    return await(fmt::format("{} is {}", path, health),
                 [&] { return host().path(path).at("health") == health; });
  }
};

std::string line_of(pid_t pid, const std::string& key) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return line;
  return {};
}

TEST_F(Exporter, O5_S5_NobodyIsToldThatTheHostIsProtected) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  EXPECT_EQ(line_of(exporter().pid(), "Uid:"), "Uid:\t65534\t65534\t65534\t65534");
  EXPECT_EQ(line_of(exporter().pid(), "CapEff:"), "CapEff:\t0000000000000000");
  EXPECT_EQ(host().ctl({"status"}).exit_code, 0) << "and hanetctl says so, too";
  EXPECT_EQ(sample(of_path("hanet_group_active", "p0")), 1);
  EXPECT_EQ(sample(of_path("hanet_group_active", "p1")), 0);
  EXPECT_EQ(sample("hanet_group_condition{group=\"mether0\",condition=\"protected\"}"), 1);
  EXPECT_EQ(sample(of_path("hanet_path_up", "p0")), 1);
  EXPECT_EQ(sample(of_path("hanet_path_up", "p1")), 1);
  const std::string session = ",port=\"p1\",target=\"192.0.2.10\"";
  const double sent = sample(of_path("hanet_heartbeats_sent_total", "p1", session));
  EXPECT_GT(sent, 0);
  EXPECT_GT(sample(of_path("hanet_round_trip_seconds_count", "p1", session)), 0);
  EXPECT_TRUE(await("heartbeats go on", [&] {
    return sample(of_path("hanet_heartbeats_answered_total", "p1", session)) > sent;
  }));
  EXPECT_THAT(scrape().body, HasSubstr("hanet_build_info{version=\"" HANET_VERSION "\"} 1\n"));
}

class ExporterOfALateGroup : public Exporter {
 protected:
  [[nodiscard]] Arguments hanetd_options() const override { return {"--wait"}; }
};

TEST_F(ExporterOfALateGroup, O1_O5_OneThatWaitsForItsPortIsNotProtected) {
  ASSERT_NO_FATAL_FAILURE(build(Topology::Switch));
  ASSERT_DONE(lab().ip("host", "link add q0 type veth peer q0x"));
  ASSERT_DONE(lab().ip("host", "addr add 198.51.100.1/24 dev q0"));
  ASSERT_NO_FATAL_FAILURE(start_with_second_group());
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(admit_nobody());
  ASSERT_NO_FATAL_FAILURE(start_exporter());
  ASSERT_TRUE(becomes("hanet_group_protected{group=\"mether0\"}", 1));
  EXPECT_TRUE(becomes("hanet_group_protected{group=\"mether1\"}", 0));
  EXPECT_EQ(sample("hanet_group_condition{group=\"mether1\",condition=\"protected\"}"), 0);
  const std::string late = "hanet_alarms_total{group=\"mether1\",kind=\"group late\"}";
  EXPECT_TRUE(becomes(late, 1));
  ASSERT_NO_FATAL_FAILURE(add_interface("q1"));
  EXPECT_TRUE(becomes("hanet_group_condition{group=\"mether1\",condition=\"no working path\"}", 1));
  EXPECT_EQ(sample(late), 1) << "what was counted while it waited";
}

TEST_F(Exporter, O5_O8_AFileThatNobodyConfirmedIsAnAlarmOfTheService) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  const std::string unconfirmed = "hanet_alarms_total{group=\"hanetd\",kind=\"file unconfirmed\"}";
  EXPECT_EQ(sample(unconfirmed), 0);
  const Result<std::string> config = lab().config("host", {});
  ASSERT_TRUE(config) << config.error().message;
  std::ofstream(host().directory() / "hanet.toml") << "daemon.log_level = \"debug\"\n" << *config;
  ASSERT_EQ(host().ctl({"reload", "--confirm", "600"}).exit_code, 0);
  host().kill();
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(admit_nobody());
  EXPECT_TRUE(becomes(unconfirmed, 1)) << "what ran before the file runs";
}

TEST_F(Exporter, O5_ACutCableIsSeenWithItsCauseAndWhatItDid) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  EXPECT_EQ(switchovers("carrier lost"), 0);
  const double edges =
      sample(of_path("hanet_link_events_total", "p0", ",port=\"p0\",event=\"down\""));
  ASSERT_DONE(lab().fault("carrier"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(becomes(of_path("hanet_group_active", "p1"), 1));
  EXPECT_TRUE(becomes("hanet_switchovers_total{group=\"mether0\",cause=\"carrier lost\"}", 1));
  EXPECT_EQ(switchovers("heartbeat lost"), 0);
  EXPECT_EQ(sample("hanet_switchover_seconds_count{group=\"mether0\"}"), 1);
  EXPECT_TRUE(becomes(of_path("hanet_path_up", "p0"), 0));
  EXPECT_TRUE(becomes("hanet_group_protected{group=\"mether0\"}", 0));
  EXPECT_TRUE(becomes("hanet_group_condition{group=\"mether0\",condition=\"no standby\"}", 1));
  EXPECT_TRUE(becomes("hanet_alarms_total{group=\"mether0\",kind=\"standby down\"}", 1));
  EXPECT_GT(sample(of_path("hanet_link_events_total", "p0", ",port=\"p0\",event=\"down\"")), edges);
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(becomes("hanet_group_protected{group=\"mether0\"}", 1));
}

TEST_F(Exporter, O5_ASilentCutIsMeasured) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  EXPECT_TRUE(becomes("hanet_switchovers_total{group=\"mether0\",cause=\"heartbeat lost\"}", 1));
  EXPECT_EQ(sample(of_path("hanet_verdicts_total", "p0", ",verdict=\"down\"")), 1);
  const json record = host().switchovers().at(0);
  const double detection =
      record.at("verdict_ns").get<double>() - record.at("first_lost_ns").get<double>();
  EXPECT_EQ(sample("hanet_detection_seconds_count{group=\"mether0\"}"), 1);
  EXPECT_NEAR(sample("hanet_detection_seconds_sum{group=\"mether0\"}"), detection / 1e9, 1e-9)
      << "as hanetctl explains it";
  EXPECT_NEAR(sample("hanet_detection_overshoot_seconds_sum{group=\"mether0\"}"),
              record.at("overshoot_us").get<double>() / 1e6, 1e-9);
}

TEST_F(Exporter, O5_EveryFlapBetweenTwoScrapesIsCounted) {
  constexpr int kFlaps = 5;
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  const Samples before = samples();
  const Cable cable(lab().netns("mid"), "host-p1");
  for (int flap = 0; flap < kFlaps; ++flap) {
    cable.cut();
    ASSERT_TRUE(path_is("p1", "down"));
    cable.mend();
    ASSERT_TRUE(path_is("p1", "up"));
  }
  const std::string up = of_path("hanet_verdicts_total", "p1", ",verdict=\"up\"");
  EXPECT_TRUE(becomes(up, before.at(up) + kFlaps)) << "the newest of them";
  const auto grown = [&](const std::string& series) { return sample(series) - before.at(series); };
  EXPECT_EQ(grown(of_path("hanet_verdicts_total", "p1", ",verdict=\"down\"")), kFlaps);
  EXPECT_EQ(grown("hanet_detection_seconds_count{group=\"mether0\"}"), kFlaps);
  EXPECT_EQ(grown("hanet_alarms_total{group=\"mether0\",kind=\"standby down\"}"), kFlaps);
  EXPECT_EQ(switchovers("heartbeat lost"), 0);
}

TEST_F(Exporter, O5_ADeadHanetdIsSaidAndTheNextOneIsFound) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  const pid_t pid = exporter().pid();
  for (const bool by_force : {true, false}) {
    SCOPED_TRACE(by_force);
    if (by_force)
      host().kill();
    else
      ASSERT_EQ(host().stop(), 0);
    EXPECT_TRUE(becomes("hanet_up", 0));
    EXPECT_EQ(samples().count("hanet_group_protected{group=\"mether0\"}"), 0U)
        << "nobody answers for that now";
    host().start();
    ASSERT_TRUE(all_ready());  // a killed one's socket is still there before
    ASSERT_NO_FATAL_FAILURE(admit_nobody());
    EXPECT_TRUE(becomes("hanet_up", 1));
    EXPECT_TRUE(becomes("hanet_group_protected{group=\"mether0\"}", 1));
  }
  EXPECT_TRUE(exporter().running());
  EXPECT_EQ(exporter().pid(), pid);
  EXPECT_EQ(exporter().stop(), 0);
}

TEST_F(Exporter, O5_HanetdIsAskedNothingAtAScrapeAndAFrozenOneIsSaid) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  host().freeze();
  ASSERT_TRUE(await("hanetd is stopped", [&] { return host().frozen(); }));
  for (int look = 0; look < 20; ++look) ASSERT_EQ(sample("hanet_up"), 1);
  EXPECT_GT(samples().size(), 100U);
  EXPECT_TRUE(becomes("hanet_up", 0)) << "ten seconds are no long switchover any more";
  EXPECT_TRUE(host().frozen()) << "it stood still all the time";
  host().thaw();
  EXPECT_TRUE(becomes("hanet_up", 1));
}

TEST_F(Exporter, O5_ProtectedIsWhatTheStatusSays) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  const auto agree = [&](bool is_protected) {
    EXPECT_EQ(host().ctl({"status"}).exit_code, is_protected ? 0 : kNotProtected);
    EXPECT_TRUE(becomes("hanet_group_protected{group=\"mether0\"}", is_protected ? 1 : 0));
  };
  ASSERT_EQ(host().ctl({"set", "mether0", "enabled", "false"}).exit_code, 0);
  agree(false);
  EXPECT_TRUE(becomes("hanet_group_condition{group=\"mether0\",condition=\"disabled\"}", 1));
  ASSERT_EQ(host().ctl({"set", "mether0", "enabled", "true"}).exit_code, 0);
  agree(true);
  // A device on top of a port: the policy finds nothing wrong, the status does.
  if (!lab().ip("host", "link add link p0 name top7 type macvlan"))
    GTEST_SKIP() << "skipped: kernel has no macvlan driver";
  ASSERT_TRUE(await("the status says so",
                    [&] { return host().ctl({"status"}).exit_code == kNotProtected; }));
  agree(false);
  EXPECT_EQ(sample("hanet_group_condition{group=\"mether0\",condition=\"protected\"}"), 1);
  EXPECT_TRUE(becomes("hanet_alarms_total{group=\"mether0\",kind=\"device on port\"}", 1));
  ASSERT_DONE(lab().ip("host", "link del top7"));
  ASSERT_TRUE(await("the status says so", [&] { return host().ctl({"status"}).exit_code == 0; }));
  agree(true);
}

TEST_F(Exporter, S5_WhatIsHandedOutCanNotBeWrittenByAnybody) {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(admit_nobody());
  const Result<exporter::Handover> handover = exporter::ask_hanetd(status_socket());
  ASSERT_TRUE(handover) << handover.error().message;
  constexpr std::size_t kBytes = 4096;
  const auto mapped = [](const Fd& fd, int protection) {
    return ::mmap(nullptr, kBytes, protection, MAP_SHARED, fd.get(), 0);
  };
  // The witness: this process, which is root, can write such a file that is not sealed.
  const Fd open_file(::memfd_create("witness", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(open_file.get(), kBytes), 0);
  ASSERT_NE(mapped(open_file, PROT_READ | PROT_WRITE), MAP_FAILED);
  // To open it once more with another right gives a memory file away that is not sealed.
  const Fd again(
      ::open(fmt::format("/proc/self/fd/{}", handover->page.get()).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(again.valid()) << "root may open it";
  for (const Fd* page : {&handover->page, &again}) {
    SCOPED_TRACE(page == &again);
    EXPECT_EQ(mapped(*page, PROT_READ | PROT_WRITE), MAP_FAILED);
    void* const at = mapped(*page, PROT_READ);
    ASSERT_NE(at, MAP_FAILED);
    EXPECT_NE(::mprotect(at, kBytes, PROT_READ | PROT_WRITE), 0);
    ::munmap(at, kBytes);
    EXPECT_LT(::write(page->get(), "?", 1), 0);
    EXPECT_NE(::ftruncate(page->get(), 0), 0);
    EXPECT_NE(::ftruncate(page->get(), 1 << 20), 0);
    EXPECT_NE(::fallocate(page->get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kBytes), 0);
  }
  EXPECT_TRUE(host().ready());
}

TEST_F(Exporter, O5_TheFormatIsTheOneThatIsPreferred) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  const Response text = scrape();
  EXPECT_EQ(text.status, 200);
  EXPECT_THAT(text.head, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
  EXPECT_THAT(text.body, HasSubstr("# TYPE hanet_switchovers_total counter\n"));
  const Response open = scrape("Accept: application/openmetrics-text;version=1.0.0\r\n");
  EXPECT_EQ(open.status, 200);
  EXPECT_THAT(
      open.head,
      HasSubstr("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
  EXPECT_THAT(open.body, HasSubstr("# TYPE hanet_switchovers counter\n"));
  EXPECT_THAT(open.body, EndsWith("\n# EOF\n"));
  EXPECT_EQ(http_get(host_netns(), kExporterPort, "/").status, 200);
  EXPECT_EQ(http_get(host_netns(), kExporterPort, "/etc/passwd").status, 404);
  EXPECT_EQ(http_get(host_netns(), kExporterPort, "/metrics/../../etc/passwd").status, 404);
}

TEST_F(Exporter, O5_WhatCanNotBeServedIsSaid) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  const auto run = [&](const std::string& listen) {
    const Result<bench::Output> output =
        bench::run(lab().in("host", {program("hanet-exporter"), "--listen", listen}), kPatience);
    return output ? fmt::format("{}: {}", output->exit_code, output->error)
                  : output.error().message;
  };
  EXPECT_THAT(run("127.0.0.1:9798"),
              HasSubstr("1: listen at 127.0.0.1:9798: Address already in use"));
  EXPECT_THAT(run("192.0.2.99:9798"), HasSubstr("1: listen at 192.0.2.99:9798: Cannot assign"));
  EXPECT_THAT(run("nonsense"), HasSubstr("1: --listen nonsense: expected ADDRESS:PORT"));
  if (mg_check_feature(MG_FEATURES_IPV6) == 0) {  // Debian's has none
    EXPECT_THAT(run("[::1]:80"), HasSubstr("1: --listen [::1]:80: the civetweb of this system"));
  }
  EXPECT_THAT(run("somewhere:80"), HasSubstr("1: --listen somewhere:80: "));
}

}  // namespace
}  // namespace hanet::test
