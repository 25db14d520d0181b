// SPDX-License-Identifier: Apache-2.0
//
// Snapshots: the text of any file is read or refused, and what was read is written as it was read
// (F3). The head with its checksum is left out: a fuzzer would only fight with the checksum.
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "snapshot/snapshot.h"

using hanet::snapshot::parse_snapshot;
using hanet::snapshot::Snapshot;
using hanet::snapshot::to_text;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::optional<Snapshot> first = parse_snapshot(text);
  if (!first) return 0;
  const std::string written = to_text(*first);
  const std::optional<Snapshot> second = parse_snapshot(written);
  if (!second || to_text(*second) != written) std::abort();
  return 0;
}
