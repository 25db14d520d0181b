// SPDX-License-Identifier: Apache-2.0
//
// See offline.h.
#include "offline.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "core/fd.h"
#include "engine/maps.h"
#include "report/maps.h"

namespace hanet::ctl {
namespace {

Result<Fd> open_map(const std::filesystem::path& directory, const char* name) {
  const std::string path = (directory / name).string();
  Fd map(bpf_obj_get(path.c_str()));
  if (!map.valid())
    return errno_error(errno, fmt::format("no hanetd runs, and nothing is pinned as {}", path));
  return map;
}

template <typename T>
Result<engine::MappedArray<T>> map_array(const std::filesystem::path& directory, const char* name,
                                         std::size_t entries) {
  Result<Fd> fd = open_map(directory, name);
  if (!fd) return pass_on(fd);
  return engine::MappedArray<T>::of(fd->get(), entries, false);
}

std::span<const hanet_session> sessions_of(const hanet_port& port,
                                           std::span<const hanet_session> all) {
  return port.targets == 0 ? all.first(0) : all.subspan(port.session, port.targets);
}

}  // namespace

Result<Json> offline_status(const std::filesystem::path& pin_directory) {
  auto sessions = map_array<hanet_session>(pin_directory, "sessions", HANET_MAX_SESSIONS);
  if (!sessions) return pass_on(sessions);
  auto ports = map_array<hanet_port>(pin_directory, "ports", HANET_MAX_PORTS);
  if (!ports) return pass_on(ports);
  Json paths = Json::array();
  for (std::size_t at = 0; at < HANET_MAX_PORTS; ++at) {
    const hanet_port& port = (*ports)[at];
    if (port.in_use == 0) continue;
    Json path{{"name", port.name}, {"port", report::port_json(port)}};
    const std::span<const hanet_session> asked =
        sessions_of(port, {&(*sessions)[0], HANET_MAX_SESSIONS});
    Json shown = Json::array();
    for (const hanet_session& session : asked)
      shown.push_back(report::session_json(session, monotonic_now()));
    report::put_sessions(path, port, std::move(shown), engine::verdict_of(port, asked));
    paths.push_back(std::move(path));
  }
  return Json{{"daemon", nullptr}, {"paths", std::move(paths)}};
}

}  // namespace hanet::ctl
