// SPDX-License-Identifier: Apache-2.0
//
// hanet-exporter on the monitored host of a lab, run by nobody.
//
// The program is copied, because nobody may be kept from the build's directory; and the socket for
// readers is opened to nobody's group, as the group `hanet` has it on a host.
#pragma once

#include <memory>
#include <string>

#include "netns/lab_test.h"
#include "netns/scrape.h"

namespace hanet::test {

inline constexpr std::uint16_t kExporterPort = 9798;

class ExporterTest : public LabTest {
 protected:
  void TearDown() override;

  void start_exporter();
  /// Lets nobody connect to the hanetd that runs now. Use with ASSERT_NO_FATAL_FAILURE.
  void admit_nobody();
  /// The host is protected, and the exporter says so. Use with ASSERT_NO_FATAL_FAILURE.
  void bring_up_with_exporter();

  [[nodiscard]] bench::Child& exporter() { return *exporter_; }
  [[nodiscard]] std::string exporter_log() const;
  [[nodiscard]] std::filesystem::path status_socket();
  [[nodiscard]] Response scrape(const std::string& head = {}) const;
  [[nodiscard]] Samples samples() const { return samples_of(scrape().body); }
  /// Of a series that has to be there; throws where it is not.
  [[nodiscard]] double sample(const std::string& series) const;
  [[nodiscard]] testing::AssertionResult becomes(const std::string& series, double value);

 private:
  std::unique_ptr<bench::Child> exporter_;
};

}  // namespace hanet::test
