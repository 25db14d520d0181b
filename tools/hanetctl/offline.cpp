// SPDX-License-Identifier: Apache-2.0
//
// See offline.h.
#include "offline.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <set>

#include "client.h"
#include "core/fd.h"
#include "engine/engine.h"
#include "engine/left_engine.h"
#include "engine/maps.h"
#include "engine/probe.h"
#include "failover/device.h"
#include "net/port_lock.h"
#include "report/history_file.h"
#include "report/maps.h"

namespace hanet::ctl {
namespace {

Result<Fd> open_map(const std::filesystem::path& directory, const char* name) {
  const std::string path = (directory / name).string();
  Fd map(bpf_obj_get(path.c_str()));
  if (map.valid()) return map;
  if (errno == ENOENT)
    return failure(fmt::format(
        "hanetd does not run, and nothing of one is left in the kernel ({} is not there): nobody "
        "watches the paths; start it: systemctl start hanetd",
        path));
  return errno_error(errno, fmt::format("hanetd does not run; look at what is left in {}", path));
}

template <typename T>
Result<engine::MappedArray<T>> map_array(const std::filesystem::path& directory, const char* name,
                                         std::size_t entries) {
  Result<Fd> fd = open_map(directory, name);
  if (!fd) return pass_on(fd);
  if (!engine::has_values_of(fd->get(), sizeof(T)))
    return failure(
        fmt::format("hanetd does not run, and {} is of another version of hanet: its own hanetctl "
                    "shows it, and "
                    "'hanetctl detach' takes it off",
                    (directory / name).string()));
  return engine::MappedArray<T>::of(fd->get(), entries, false);
}

std::span<const hanet_session> sessions_of(const hanet_port& port,
                                           std::span<const hanet_session> all) {
  return port.targets == 0 ? all.first(0) : all.subspan(port.session, port.targets);
}

/// For how long hanetd has not shown itself.
Nanoseconds away_since(const hanet_engine& accounts) {
  return monotonic_now() - from_kernel_ns(engine::load(accounts.attended_ns));
}

/// What the kernel side does with the port's traffic.
std::string_view steering_of(const hanet_steer& steer, std::uint32_t loss, bool is_used) {
  if (steer.mode == HANET_STEER_DEVICE) return is_used ? "carries the device's traffic" : "waits";
  const bool was_bridged = steer.mode == HANET_STEER_BRIDGE_OUT && steer.armed != 0;
  if (loss == HANET_LOSS_RELEASE &&
      (was_bridged || steer.mode == HANET_STEER_IDLE || steer.mode == HANET_STEER_BRIDGE_IN))
    return "released, passes everything";
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

/// Is the port of the path that its group's device uses?
bool is_used_by_device(const engine::MappedArray<hanet_device>& devices, std::size_t at,
                       const engine::MappedArray<hanet_port>& ports) {
  const hanet_port& port = ports[at];
  if (port.group >= HANET_MAX_GROUPS) return false;
  const std::uint32_t used = engine::load(devices[port.group].port);
  return used == at ||
         (port.trunk != 0 && used < HANET_MAX_PORTS && ports[used].trunk == port.trunk);
}

/// Does it bridge? A move of hanetd's that was cut off goes on so, whatever the group wants.
bool is_bridged(const hanet_steer& steer, std::uint32_t loss) {
  return steer.mode == HANET_STEER_BRIDGE_OUT && (steer.armed == 0 || loss != HANET_LOSS_RELEASE);
}

/// Have heartbeats left by the kernel within the last second?
bool goes_round(const hanet_pacer& pacer) {
  return engine::load(pacer.mode) != HANET_PACER_NONE &&
         monotonic_now() < from_kernel_ns(engine::load(pacer.round_ns)) + std::chrono::seconds(1);
}

// The service keeps its history in one place, and one that was started by hand where its sockets
// are: the newer one counts. Another run directory is another hanetd.
std::filesystem::path history_file(const Options& options) {
  const Options usual;
  if (!options.state_directory.empty()) return report::history_file_in(options.state_directory);
  std::filesystem::path by_hand = report::history_file_in(options.run_directory);
  if (options.run_directory != usual.run_directory) return by_hand;
  std::filesystem::path of_service = report::history_file_in("/var/lib/hanet");
  std::error_code none;
  const auto by_hand_at = std::filesystem::last_write_time(by_hand, none);
  if (none) return of_service;
  const auto of_service_at = std::filesystem::last_write_time(of_service, none);
  return none || of_service_at < by_hand_at ? by_hand : of_service;
}

/// A metanetwork device and the port by which the kernel side sends what it sends.
struct CarriedDevice {
  net::InterfaceName device;
  net::InterfaceName port;
  net::MacAddress mac{};
};

// The one that is used, or else any that is up.
Result<net::InterfaceName> port_for(net::NetlinkSocket& socket, const engine::LeftEngine& left,
                                    const net::LinkInfo& device) {
  const unsigned used = left.path_of_device(device.interface.index);
  std::set<unsigned> candidates = left.interfaces();
  candidates.erase(device.lower);
  std::optional<net::InterfaceName> found;
  for (const unsigned candidate : candidates) {
    const Result<net::LinkInfo> link = net::read_link(socket, candidate);
    if (link && (candidate == used || (!found && link->admin_up))) found = link->interface;
    if (link && candidate == used) break;
  }
  if (found) return *found;
  return failure(fmt::format(
      "{} has addresses, and no port that hanet watches is up to take them: bring one up first",
      device.interface.name));
}

// Another hanetd in this namespace, with other pins, has devices of its own.
Result<std::vector<CarriedDevice>> carried_devices(net::NetlinkSocket& socket,
                                                   const engine::LeftEngine& left) {
  Result<std::vector<net::LinkInfo>> made = failover::made_devices(socket);
  if (!made) return pass_on(made);
  std::vector<CarriedDevice> all;
  for (const net::LinkInfo& device : *made) {
    if (!left.interfaces().contains(device.lower)) continue;
    Result<net::InterfaceName> port = port_for(socket, left, device);
    if (!port) return pass_on(port);
    all.push_back({device.interface, *port, device.mac});
  }
  return all;
}

}  // namespace

Result<Json> offline_status(const std::filesystem::path& pin_directory) {
  auto sessions = map_array<hanet_session>(pin_directory, "sessions", HANET_MAX_SESSIONS);
  if (!sessions) return pass_on(sessions);
  auto ports = map_array<hanet_port>(pin_directory, "ports", HANET_MAX_PORTS);
  if (!ports) return pass_on(ports);
  auto steer = map_array<hanet_steer>(pin_directory, "steer", HANET_MAX_PORTS);
  if (!steer) return pass_on(steer);
  auto devices = map_array<hanet_device>(pin_directory, "devices", HANET_MAX_GROUPS);
  if (!devices) return pass_on(devices);
  auto pacer = map_array<hanet_pacer>(pin_directory, "pacer", 1);
  if (!pacer) return pass_on(pacer);
  auto params = map_array<hanet_params>(pin_directory, "params", HANET_MAX_GROUPS);
  if (!params) return pass_on(params);
  auto accounts = map_array<hanet_engine>(pin_directory, "engine", 1);
  if (!accounts) return pass_on(accounts);
  const Nanoseconds away = away_since((*accounts)[0]);
  bool would_bridge = false;
  bool bridged = false;
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
    const std::uint32_t loss = port.group < HANET_MAX_GROUPS
                                   ? hanet_daemon_loss(&(*params)[port.group], away.count())
                                   : std::uint32_t{HANET_LOSS_STEER};
    const bool armed = (*steer)[at].armed != 0 ||
                       (port.group < HANET_MAX_GROUPS && (*devices)[port.group].armed != 0);
    would_bridge = would_bridge || (armed && loss == HANET_LOSS_STEER);
    bridged = bridged || is_bridged((*steer)[at], loss);
    path["steering"] = steering_of((*steer)[at], loss, is_used_by_device(*devices, at, *ports));
    paths.push_back(std::move(path));
  }
  return Json{{"daemon", nullptr},
              {"away_s", std::chrono::duration<double>(away).count()},
              {"kernel_sends", goes_round((*pacer)[0])},
              {"kernel_bridges", would_bridge},
              {"kernel_bridged", bridged},
              {"paths", std::move(paths)}};
}

Result<Json> offline_explain(const Options& options) {
  const std::filesystem::path file = history_file(options);
  std::error_code unreadable;
  if (!std::filesystem::exists(file, unreadable))
    return failure(fmt::format("hanetd does not run, and there is no history {}{}", file.string(),
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
  Result<net::NetlinkSocket> socket = net::NetlinkSocket::open();
  if (!socket) return pass_on(socket);
  const engine::LeftEngine left = engine::LeftEngine::open(pin_directory);
  const std::set<unsigned> watched = left.interfaces();
  Result<std::vector<CarriedDevice>> devices = carried_devices(*socket, left);
  if (!devices) return pass_on(devices);
  Result<bool> done = engine::Engine::take_off_left(pin_directory);
  if (!done) return pass_on(done);
  if (!*done) return fmt::format("nothing to detach: there is no {}", pin_directory.string());
  std::string text = fmt::format("detached: no program of hanet's is left of {}; every identity ",
                                 pin_directory.string());
  if (devices->empty()) return text + "stays where it is";
  text += "is where it is received:";
  for (const CarriedDevice& one : *devices) {
    for (const unsigned port : watched) {
      std::vector<net::NetlinkMessage> batch = failover::close_filters(port, one.mac);
      net::send_best_effort(*socket, one.device.name, batch);
    }
    Result<failover::Execution> moved =
        failover::take_off_device(*socket, one.device, one.port.index);
    if (!moved) return pass_on(moved);
    text += fmt::format(" that of {} on {}{}{}", one.device.name, one.port.name,
                        moved->problems.empty() ? "" : ", but ", fmt::join(moved->problems, "; "));
  }
  return text;
}

}  // namespace hanet::ctl
