// SPDX-License-Identifier: Apache-2.0
//
// See origins.h.
#include "snapshot/origins.h"

#include <fmt/format.h>

#include "core/private_file.h"
#include "snapshot/json.h"
#include "snapshot/validity.h"

namespace hanet::snapshot {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Origin, on, before, ours, is_known, admin_up, link_local)
// `left` is not in the file of an earlier version: after the upgrade from that one a port that
// waits has its own settings, once.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Origins, boot, netns, interfaces, carrier, left,
                                                carried)

Result<Origins> load_origins(const std::filesystem::path& file) {
  constexpr std::size_t kMaxBytes = std::size_t{16} << 20;
  const Result<std::optional<std::string>> text = read_private_file(file, kMaxBytes);
  const auto unusable = [&](const std::string& why) {
    return failure(fmt::format("{} is not used: {}", file.string(), why));
  };
  if (!text) return unusable(text.error().message);
  if (!*text) return Origins{};
  try {
    Origins kept = nlohmann::json::parse(**text).get<Origins>();
    if (kept.boot != boot_id() || kept.netns != own_netns()) return Origins{};
    return kept;
  } catch (const nlohmann::json::exception&) {
    return unusable("it is damaged");
  } catch (const std::invalid_argument&) {
    return unusable("it is damaged");
  }
}

Status save_origins(const std::filesystem::path& file, Origins origins) {
  origins.boot = boot_id();
  origins.netns = own_netns();
  if (const Result<Fd> fd = write_fresh(file, {nlohmann::json(origins).dump()}); !fd)
    return std::unexpected(fd.error());
  return put_in_place(file);
}

}  // namespace hanet::snapshot
