// SPDX-License-Identifier: Apache-2.0
//
// See origins.h.
#include "snapshot/origins.h"

#include <fmt/format.h>

#include "snapshot/json.h"
#include "snapshot/private_file.h"

namespace hanet::snapshot {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Origin, on, before, ours, is_known, admin_up, link_local)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Origins, boot, netns, interfaces, carrier, carried)

Result<Origins> load_origins(const std::filesystem::path& file) {
  const Result<std::string> text = read_private_file(file);
  if (!text && text.error().code == ENOENT) return Origins{};
  const auto unusable = [&](const std::string& why) {
    return failure(fmt::format("{} is not used: {}", file.string(), why));
  };
  if (!text) return unusable(text.error().message);
  try {
    Origins kept = nlohmann::json::parse(*text).get<Origins>();
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
  return replace_private_file(file, nlohmann::json(origins).dump());
}

}  // namespace hanet::snapshot
