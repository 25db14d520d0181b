// SPDX-License-Identifier: Apache-2.0
//
// See offline.h.
#include "offline.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "client.h"
#include "core/fd.h"
#include "engine/engine.h"
#include "engine/maps.h"
#include "net/port_lock.h"
#include "report/history_file.h"
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

/// What the kernel side does with the port's traffic.
std::string_view steering_of(const hanet_steer& steer) {
  switch (steer.mode) {
    case HANET_STEER_NONE:
      return "carries";
    case HANET_STEER_IDLE:
      return "waits";
    case HANET_STEER_BRIDGE_OUT:
      return "failed, bridged";
    case HANET_STEER_BRIDGE_IN:
      return "carries what is bridged";
    case HANET_STEER_ADOPT:
      return "carries what is being moved";
    default:
      return "is part of a trunk";
  }
}

/// Have heartbeats left by the kernel within the last second?
bool goes_round(const hanet_pacer& pacer) {
  return engine::load(pacer.mode) != HANET_PACER_NONE &&
         monotonic_now() < from_kernel_ns(engine::load(pacer.round_ns)) + std::chrono::seconds(1);
}

}  // namespace

Result<Json> offline_status(const std::filesystem::path& pin_directory) {
  auto sessions = map_array<hanet_session>(pin_directory, "sessions", HANET_MAX_SESSIONS);
  if (!sessions) return pass_on(sessions);
  auto ports = map_array<hanet_port>(pin_directory, "ports", HANET_MAX_PORTS);
  if (!ports) return pass_on(ports);
  auto steer = map_array<hanet_steer>(pin_directory, "steer", HANET_MAX_PORTS);
  if (!steer) return pass_on(steer);
  auto pacer = map_array<hanet_pacer>(pin_directory, "pacer", 1);
  if (!pacer) return pass_on(pacer);
  bool armed = false;
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
    armed = armed || (*steer)[at].armed != 0;
    path["steering"] = steering_of((*steer)[at]);
    paths.push_back(std::move(path));
  }
  return Json{{"daemon", nullptr},
              {"kernel_sends", goes_round((*pacer)[0])},
              {"kernel_bridges", armed},
              {"paths", std::move(paths)}};
}

// Another run directory is another hanetd, which keeps its history there unless it is told where.
Result<Json> offline_explain(const Options& options) {
  const Options usual;
  const bool is_the_service =
      options.state_directory.empty() && options.run_directory == usual.run_directory;
  std::filesystem::path directory = options.state_directory;
  if (is_the_service) directory = "/var/lib/hanet";
  if (directory.empty() || (is_the_service && !std::filesystem::exists(directory)))
    directory = options.run_directory;
  const std::filesystem::path file = report::history_file_in(directory);
  std::error_code unreadable;
  if (!std::filesystem::exists(file, unreadable))
    return failure(fmt::format("hanetd does not run, and it has kept no history in {}{}",
                               directory.string(),
                               unreadable ? fmt::format(" ({})", unreadable.message()) : ""));
  const Result<report::KeptRecords> records = report::read_history(file);
  if (!records) return failure(fmt::format("hanetd does not run, and {}", records.error().message));
  Json shown = report::explain_json(*records, options.last);
  shown["daemon"] = nullptr;
  return shown;
}

Result<std::string> detach(const std::filesystem::path& run_directory,
                           const std::filesystem::path& pin_directory) {
  if (Client::connect(run_directory))
    return failure("hanetd runs, and detaches itself when it is stopped: 'systemctl stop hanetd'");
  const Result<net::PortLock> alone = net::PortLock::take_directory(pin_directory);
  if (!alone)
    return failure(fmt::format("{}; it detaches itself when it is stopped", alone.error().message));
  Result<bool> done = engine::Engine::take_off_left(pin_directory);
  if (!done) return pass_on(done);
  return *done ? fmt::format(
                     "detached: no program of hanet's is left of {}; every identity stays "
                     "where it is",
                     pin_directory.string())
               : fmt::format("nothing to detach: there is no {}", pin_directory.string());
}

}  // namespace hanet::ctl
