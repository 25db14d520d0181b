// SPDX-License-Identifier: Apache-2.0
//
// See exporter.h.
#include "netns/exporter.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace hanet::test {

void ExporterTest::TearDown() {
  if (HasFailure() && exporter_) fmt::print("--- hanet-exporter wrote:\n{}", exporter_log());
  exporter_.reset();
  LabTest::TearDown();
}

void ExporterTest::start_exporter() {
  const std::filesystem::path copy = lab().directory() / "hanet-exporter";
  std::filesystem::copy_file(program("hanet-exporter"), copy,
                             std::filesystem::copy_options::skip_existing);
  ASSERT_EQ(::chmod(lab().directory().c_str(), 0711), 0);
  ASSERT_EQ(::chmod(copy.c_str(), 0755), 0);
  Result<bench::Child> child = bench::Child::start(
      lab().in("host", {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                        "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
                        "--pdeathsig=TERM", copy.string(), "--run-dir", host().directory().string(),
                        "--listen", fmt::format("127.0.0.1:{}", kExporterPort)}),
      lab().directory() / "exporter.log");
  ASSERT_TRUE(child) << child.error().message;
  exporter_ = std::make_unique<bench::Child>(std::move(*child));
}

std::filesystem::path ExporterTest::status_socket() { return host().directory() / "status.sock"; }

void ExporterTest::admit_nobody() {
  const std::filesystem::path socket = status_socket();
  ASSERT_TRUE(await("hanetd listens", [&] { return std::filesystem::exists(socket); }));
  ASSERT_EQ(::chown(socket.c_str(), 0, 65534), 0);
  ASSERT_EQ(::chmod(socket.c_str(), 0660), 0);
}

void ExporterTest::bring_up_with_exporter() {
  ASSERT_NO_FATAL_FAILURE(bring_up(Topology::Switch));
  ASSERT_NO_FATAL_FAILURE(admit_nobody());
  ASSERT_NO_FATAL_FAILURE(start_exporter());
  ASSERT_TRUE(becomes("hanet_up", 1));
  ASSERT_TRUE(becomes("hanet_group_protected{group=\"mether0\"}", 1));
}

std::string ExporterTest::exporter_log() const {
  std::ifstream file(lab().directory() / "exporter.log");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Response ExporterTest::scrape(const std::string& head) const {
  return http_get(host_netns(), kExporterPort, "/metrics", head);
}

double ExporterTest::sample(const std::string& series) const {
  const Samples all = samples();
  const auto found = all.find(series);
  if (found == all.end()) throw std::runtime_error("not scraped: " + series);
  return found->second;
}

testing::AssertionResult ExporterTest::becomes(const std::string& series, double value) {
  double last = -1;
  testing::AssertionResult done = await(fmt::format("{} is {}", series, value), [&] {
    const Samples all = samples();
    const auto found = all.find(series);
    last = found == all.end() ? -1 : found->second;
    return last == value;
  });
  if (!done) done << "; it was " << last << " (-1: not there)";
  return done;
}

}  // namespace hanet::test
