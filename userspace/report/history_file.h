// SPDX-License-Identifier: Apache-2.0
//
// The file in which the history of switchovers and alarms outlives hanetd (spec O10).
//
// hanetd writes it, and hanetctl reads it where no hanetd runs: "what happened last night" is asked
// then as well. The file: a line with the version and the checksum of the rest, and one JSON
// object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"

namespace hanet::report {

/// A record names everything that is missing after an incomplete switchover, which may be much.
inline constexpr std::size_t kMaxHistoryBytes = std::size_t{1} << 20;

/// As record_json() and notice_json() make them, the newest last.
struct KeptRecords {
  std::deque<Json> switchovers;
  std::deque<Json> alarms;
  std::uint64_t last_number = 0;  ///< of the newest switchover; 0: none
};

[[nodiscard]] std::filesystem::path history_file_in(const std::filesystem::path& directory);

/// Empty records where there is no file. The error names a file that is there and is not used, and
/// says why: it is damaged, or not the reader's own.
[[nodiscard]] Result<KeptRecords> read_history(const std::filesystem::path& file);
/// What the file with these records has; more than kMaxHistoryBytes are not read again.
[[nodiscard]] std::string history_text(const KeptRecords& records);
/// The same, of the bytes.
[[nodiscard]] Result<KeptRecords> history_of(std::string_view bytes);

/// hanetd's answer to `explain`: the last so many of each.
[[nodiscard]] Json explain_json(const KeptRecords& records, std::size_t last);

}  // namespace hanet::report
