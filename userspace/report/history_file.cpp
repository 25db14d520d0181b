// SPDX-License-Identifier: Apache-2.0
//
// See history_file.h.
#include "report/history_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "core/private_file.h"

namespace hanet::report {
namespace {

std::string head_of(std::string_view text) {
  return fmt::format("hanet-history 1 {:016x}\n", checksum(text));
}

Json newest(const std::deque<Json>& kept, std::size_t last) {
  const std::size_t count = std::min(last, kept.size());
  return std::vector<Json>(kept.end() - static_cast<std::ptrdiff_t>(count), kept.end());
}

}  // namespace

std::filesystem::path history_file_in(const std::filesystem::path& directory) {
  return directory / "history";
}

Result<KeptRecords> read_history(const std::filesystem::path& file) {
  Result<std::optional<std::string>> bytes = read_private_file(file, kMaxHistoryBytes);
  if (bytes && !*bytes) return KeptRecords();
  Result<KeptRecords> records = bytes ? history_of(**bytes) : pass_on(bytes);
  if (records) return records;
  return failure(
      fmt::format("the history {} is not used: {}", file.string(), records.error().message));
}

std::string history_text(const KeptRecords& records) {
  const std::string text = Json{
      {"switchovers", records.switchovers},
      {"alarms", records.alarms},
      {"last_number",
       records.last_number}}.dump(-1, ' ', false, Json::error_handler_t::replace);
  return head_of(text) + text;
}

Result<KeptRecords> history_of(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const std::string_view text = end == std::string_view::npos ? "" : bytes.substr(end + 1);
  if (bytes.substr(0, bytes.size() - text.size()) != head_of(text)) return failure("it is damaged");
  try {
    const Json kept = Json::parse(text);
    return KeptRecords{.switchovers = kept.at("switchovers").get<std::deque<Json>>(),
                       .alarms = kept.at("alarms").get<std::deque<Json>>(),
                       .last_number = kept.at("last_number").get<std::uint64_t>()};
  } catch (const Json::exception&) {
    return failure("it is damaged");
  }
}

Json explain_json(const KeptRecords& records, std::size_t last) {
  return {{"ok", true},
          {"switchovers", newest(records.switchovers, last)},
          {"alarms", newest(records.alarms, last)}};
}

}  // namespace hanet::report
