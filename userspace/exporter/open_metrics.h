// SPDX-License-Identifier: Apache-2.0
//
// OpenMetrics text 1.0.0, which prometheus-cpp 1.0 does not write: its serializer writes the older
// format, where a counter's family has `_total` in its name and no line says that nothing is
// missing at the end. A reader that prefers OpenMetrics, as Prometheus does, learns a truncated
// scrape by the missing "# EOF", and the units.
#pragma once

#include <prometheus/serializer.h>

#include <string_view>
#include <vector>

namespace hanet::exporter {

class OpenMetricsSerializer : public prometheus::Serializer {
 public:
  using Serializer::Serialize;
  void Serialize(std::ostream& out,
                 const std::vector<prometheus::MetricFamily>& families) const override;
};

enum class Format : std::uint8_t { Text, OpenMetrics };

/// By the Accept header (RFC 9110 section 12.5.1): OpenMetrics for whoever likes it as much as
/// text.
[[nodiscard]] Format preferred_format(std::string_view accept);
[[nodiscard]] std::string_view content_type(Format format);

}  // namespace hanet::exporter
