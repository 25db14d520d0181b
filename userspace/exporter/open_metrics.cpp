// SPDX-License-Identifier: Apache-2.0
//
// See open_metrics.h.
#include "exporter/open_metrics.h"

#include <fmt/format.h>
#include <prometheus/metric_family.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <optional>
#include <ostream>
#include <string>

namespace hanet::exporter {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total", kInfo = "_info", kSeconds = "_seconds";

void append_escaped(std::string& text, std::string_view of) {
  for (const char byte : of) {
    if (byte == '\n') {
      text += "\\n";
      continue;
    }
    if (byte == '\\' || byte == '"') text += '\\';
    text += byte;
  }
}

// Of a bound the specification wants ".0" where else nothing shows that it is no integer.
std::string bound(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

bool is_info(const MetricFamily& family) {
  return family.type == MetricType::Gauge && family.name.ends_with(kInfo);
}

/// What the family is called where a sample's name has a suffix.
std::string_view base_name(const MetricFamily& family) {
  std::string_view name = family.name;
  if (family.type == MetricType::Counter && name.ends_with(kTotal))
    name.remove_suffix(kTotal.size());
  if (is_info(family)) name.remove_suffix(kInfo.size());
  return name;
}

std::string_view type_name(const MetricFamily& family) {
  switch (family.type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return is_info(family) ? "info" : "gauge";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Summary:
      return "summary";
    case MetricType::Untyped:
      break;
  }
  return "unknown";
}

/// Without brackets: a bucket has one more.
std::string labels_text(const ClientMetric& metric) {
  std::string text;
  for (const ClientMetric::Label& label : metric.label) {
    if (!text.empty()) text += ',';
    text += label.name;
    text += "=\"";
    append_escaped(text, label.value);
    text += '"';
  }
  return text;
}

/// `le`: of a bucket, else empty.
void append_name(std::string& text, std::string_view name, std::string_view suffix,
                 std::string_view labels, std::string_view le = {}) {
  text += name;
  text += suffix;
  if (!labels.empty() || !le.empty()) {
    text += '{';
    text += labels;
    if (!le.empty())
      fmt::format_to(std::back_inserter(text), "{}le=\"{}\"", labels.empty() ? "" : ",", le);
    text += '}';
  }
  text += ' ';
}

template <typename Value>
void append_value(std::string& text, Value value) {
  fmt::format_to(std::back_inserter(text), "{}\n", value);
}

void append_histogram(std::string& text, std::string_view name, const ClientMetric& metric) {
  const ClientMetric::Histogram& histogram = metric.histogram;
  const std::string labels = labels_text(metric);
  for (const ClientMetric::Bucket& bucket : histogram.bucket) {
    append_name(text, name, "_bucket", labels, bound(bucket.upper_bound));
    append_value(text, bucket.cumulative_count);
  }
  append_name(text, name, "_bucket", labels, "+Inf");
  append_value(text, histogram.sample_count);
  append_name(text, name, "_count", labels);
  append_value(text, histogram.sample_count);
  append_name(text, name, "_sum", labels);
  append_value(text, histogram.sample_sum);
}

void append_family(std::string& text, const MetricFamily& family) {
  const std::string_view name = base_name(family);
  const auto into = std::back_inserter(text);
  fmt::format_to(into, "# TYPE {} {}\n", name, type_name(family));
  if (name.ends_with(kSeconds)) fmt::format_to(into, "# UNIT {} seconds\n", name);
  fmt::format_to(into, "# HELP {} ", name);
  append_escaped(text, family.help);
  text += '\n';
  for (const ClientMetric& metric : family.metric) {
    if (family.type == MetricType::Histogram) {
      append_histogram(text, name, metric);
      continue;
    }
    const bool counts = family.type == MetricType::Counter;
    append_name(text, counts ? name : std::string_view(family.name), counts ? kTotal : "",
                labels_text(metric));
    append_value(text, counts ? metric.counter.value : metric.gauge.value);
  }
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char byte) { return byte == ' ' || byte == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Takes what is in front of the separator off `text`.
std::string_view next_part(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return trimmed(part);
}

// A weight that is no number counts as 0: what is not understood is not preferred.
double weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = next_part(parameters, ';');
    if (!parameter.starts_with("q=")) continue;
    double weight = 0;
    std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), weight);
    return weight;
  }
  return 1;
}

}  // namespace

// Only what families.cpp makes: it has no summaries and nothing without a type.
void OpenMetricsSerializer::Serialize(std::ostream& out,
                                      const std::vector<MetricFamily>& families) const {
  std::string text;
  for (const MetricFamily& family : families) append_family(text, family);
  out << text << "# EOF\n";
}

Format preferred_format(std::string_view accept) {
  std::optional<double> text;
  double open_metrics = 0, anything = 0;
  while (!accept.empty()) {
    std::string_view range = next_part(accept, ',');
    std::string type(next_part(range, ';'));
    std::ranges::transform(type, type.begin(), [](unsigned char byte) {
      return static_cast<char>(std::tolower(byte));
    });
    const double weight = weight_of(range);
    if (type == "application/openmetrics-text") open_metrics = std::max(open_metrics, weight);
    if (type == "text/plain") text = std::max(text.value_or(0), weight);
    if (type == "*/*" || type == "text/*") anything = std::max(anything, weight);
  }
  const bool likes_it = open_metrics > 0 && open_metrics >= text.value_or(anything);
  return likes_it ? Format::OpenMetrics : Format::Text;
}

std::string_view content_type(Format format) {
  switch (format) {
    case Format::OpenMetrics:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case Format::Text:
      break;
  }
  return "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace hanet::exporter
