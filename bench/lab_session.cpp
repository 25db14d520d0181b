// SPDX-License-Identifier: Apache-2.0
//
// See lab_session.h. Whatever a person would need to find out why a run failed goes into the error:
// the command, what it printed, and the last lines of the daemon's log.
#include "bench/lab_session.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "bench/interrupt.h"
#include "core/clock.h"
#include "core/log.h"

namespace hanet::bench {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr auto kCommandLimit = 10s;
constexpr auto kStartLimit = 10s;
constexpr auto kPollEvery = 10ms;
constexpr std::size_t kLogTail = 2000;  // bytes
constexpr const char* kGroup = "mether0";

std::string tail(const std::filesystem::path& file) {
  std::ifstream stream(file);
  const std::string text((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  return text.size() > kLogTail ? "..." + text.substr(text.size() - kLogTail) : text;
}

/// Throws nlohmann::json::exception when a field is missing or of another type.
NodeState read_state(const json& status, const std::string& mode) {
  const json& group = status.at("groups").at(0);
  NodeState state;
  state.active = group.at("active").get<std::string>();
  state.ready = true;
  for (const json& path : group.at("paths")) {
    const bool active = path.at("role") == "active";
    if (active) state.active_path = state.paths.size();
    if (active && path.contains("trunk")) state.speaker = path.at("trunk").value("speaker", "");
    state.paths.push_back(path.at("name").get<std::string>());
    // A path of one port is that port; a trunk lists its own.
    const json ports = path.contains("ports") ? path.at("ports") : json::array({path});
    std::uint64_t verdicts = 0;
    std::size_t lost = 0;
    for (const json& port : ports) {
      verdicts += port.at("session").at("down_verdicts").get<std::uint64_t>();
      lost += port.at("health") == "down" ? 1 : 0;
    }
    state.down_verdicts.push_back(verdicts);
    state.ports.push_back(ports.size());
    state.lost_ports.push_back(lost);
    const bool needed = mode == "hot" || active;
    if (needed && path.at("health").get<std::string>() != "up") state.ready = false;
  }
  return state;
}

/// Asks again and again until `done` says yes. Errors count as "not yet"; the last one is told.
template <typename Done>
Status await(std::chrono::milliseconds limit, const std::string& what, Done done) {
  const MonotonicTime deadline = monotonic_now() + limit;
  while (true) {
    Result<bool> yes = done();
    if (yes && *yes) return {};
    if (interrupted()) return failure("interrupted");
    if (monotonic_now() >= deadline) {
      return failure(fmt::format("{} ms were not enough until {}{}", limit.count(), what,
                                 yes ? "" : ": " + yes.error().message));
    }
    std::this_thread::sleep_for(kPollEvery);
  }
}

}  // namespace

// The benches are in BUILD/bench, hanetd and hanetctl in BUILD.
std::filesystem::path program_of_this_build(const std::string& name) {
  std::error_code failed;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  const std::filesystem::path beside = self.parent_path().parent_path() / name;
  return !failed && std::filesystem::exists(beside, failed) ? beside : std::filesystem::path(name);
}

std::filesystem::path lab_of_this_build() {
  const std::filesystem::path lab = HANET_LAB;
  std::error_code failed;
  return std::filesystem::exists(lab, failed) ? lab : std::filesystem::path("tools/lab");
}

LabSession::LabSession(LabOptions options) : options_(std::move(options)) {}

LabSession::~LabSession() {
  daemons_.clear();
  const Result<std::string> down = run_checked(lab_command({"down"}), kCommandLimit);
  if (!down) log::error("{}", down.error().message);
  std::error_code ignored;  // a file left in /tmp is not worth a message
  std::filesystem::remove_all(directory_, ignored);
}

Result<std::unique_ptr<LabSession>> LabSession::open(const LabOptions& options) {
  std::string directory = "/tmp/hanet-bench-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return errno_error(errno, "make a directory in /tmp");
  std::unique_ptr<LabSession> session(new LabSession(options));
  session->directory_ = directory;
  session->id_ = fmt::format("b{}", ::getpid() % 10'000'000);
  const bool crossover = options.topology == Topology::Crossover;
  const bool trunk = options.topology == Topology::Trunk;
  Result<std::string> up = run_checked(session->lab_command({"up", crossover ? "crossover"
                                                                   : trunk   ? "trunk"
                                                                             : "switch"}),
                                       kCommandLimit);
  if (!up) return pass_on(up);
  std::vector<std::string> cables;
  for (const char* path : {"primary", "standby"})
    for (std::string& cable : session->cables(PortFault::Carrier, path))
      cables.push_back(std::move(cable));
  Result<SwitchPorts> ports = SwitchPorts::open("hl-" + session->id_ + "-mid", cables);
  if (!ports) return pass_on(ports);
  session->switch_ports_ = std::move(*ports);
  if (!options.with_hanet) return session;
  session->nodes_ = crossover ? Arguments{"a", "b"} : Arguments{"host"};
  for (const std::string& node : session->nodes_) {
    if (Status started = session->start_daemon(node); !started) return pass_on(started);
  }
  if (Status ready = session->await_ready(kStartLimit); !ready) return pass_on(ready);
  return session;
}

Arguments LabSession::lab_command(const Arguments& arguments) const {
  Arguments command{options_.lab.string()};
  command.insert(command.end(), {"--id", id_});
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

std::filesystem::path LabSession::run_dir(const std::string& node) const {
  return directory_ / node;
}

Error LabSession::with_log(Error error, const std::string& node) const {
  const std::string text = tail(run_dir(node) / "log");
  if (!text.empty()) error.message += fmt::format("\nhanetd on {} wrote:\n{}", node, text);
  return error;
}

Status LabSession::start_daemon(const std::string& node) {
  const std::filesystem::path directory = run_dir(node);
  std::filesystem::create_directory(directory);
  Result<std::string> config = run_checked(
      lab_command({"config", node, "--mode", options_.mode, "--heartbeat", options_.heartbeat,
                   "--family", std::to_string(options_.family), "--interval-us",
                   std::to_string(options_.interval_us), "--multiplier",
                   std::to_string(options_.multiplier), "--bridging", options_.bridging}),
      kCommandLimit);
  if (!config) return pass_on(config);
  const std::filesystem::path file = directory / "hanet.toml";
  std::ofstream(file) << *config;
  const Arguments command = lab_command(
      {"run", node, "--", options_.hanetd.string(), "--config", file.string(), "--run-dir",
       directory.string(), "--pin-dir", fmt::format("/sys/fs/bpf/hanet-{}-{}", id_, node)});
  Result<Child> daemon = Child::start(command, directory / "log");
  if (!daemon) return pass_on(daemon);
  daemons_.push_back(std::move(*daemon));
  return {};
}

Status LabSession::take_daemons_away(Absence absence) {
  if (absence == Absence::None) return {};
  for (Child& daemon : daemons_) {
    if (::kill(daemon.pid(), absence == Absence::Frozen ? SIGSTOP : SIGKILL) != 0)
      return errno_error(errno, "send a signal to hanetd");
    const MonotonicTime deadline = monotonic_now() + kCommandLimit;
    while (absence == Absence::Killed && daemon.running()) {
      if (monotonic_now() > deadline) return failure("hanetd outlives SIGKILL");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return {};
}

Status LabSession::bring_daemons_back(Absence absence) {
  if (absence == Absence::Frozen)
    for (const Child& daemon : daemons_) ::kill(daemon.pid(), SIGCONT);
  if (absence != Absence::Killed) return {};
  daemons_.clear();
  for (const std::string& node : nodes_)
    if (Status started = start_daemon(node); !started) return started;
  return {};
}

MeterOptions LabSession::meter_options() const {
  const bool v4 = options_.family == 4;
  MeterOptions meter;
  // Flows choose their ports by a hash: so many leave none out.
  if (options_.topology == Topology::Trunk) meter.flows = 16;
  if (options_.topology != Topology::Crossover) {
    meter.a = {.netns = "hl-" + id_ + "-host", .address = v4 ? "192.0.2.1" : "2001:db8::1"};
    meter.b = {.netns = "hl-" + id_ + "-client", .address = v4 ? "192.0.2.10" : "2001:db8::10"};
  } else {
    meter.a = {.netns = "hl-" + id_ + "-a", .address = v4 ? "192.0.2.1" : "2001:db8::1"};
    meter.b = {.netns = "hl-" + id_ + "-b", .address = v4 ? "192.0.2.2" : "2001:db8::2"};
  }
  return meter;
}

// One cable between two hosts: when it is pulled out, each of them loses the carrier.
std::vector<std::string> LabSession::cables(PortFault how, const std::string& path) const {
  const bool standby = path == "standby", trunk = options_.topology == Topology::Trunk;
  if (trunk && path.starts_with('p') && path.size() == 2) return {"host-" + path};
  std::vector<std::string> cables;
  const std::size_t ports = trunk ? 4 : 1;
  for (std::size_t i = 0; i < ports; ++i) {
    const std::string port = fmt::format("-p{}", i + (standby ? ports : 0));
    cables.push_back((options_.topology == Topology::Crossover ? "a" : "host") + port);
    if (options_.topology == Topology::Crossover && how == PortFault::Carrier)
      cables.push_back("b" + port);
  }
  return cables;
}

Status LabSession::fault(const std::string& kind, const std::string& path, const Arguments& more) {
  if (kind == "blackhole" || kind == "carrier") {
    const PortFault how = kind == "carrier" ? PortFault::Carrier : PortFault::Silent;
    return switch_ports_.fail(how, cables(how, path));
  }
  Arguments command{"fault", kind, path};
  command.insert(command.end(), more.begin(), more.end());
  Result<std::string> done = run_checked(lab_command(command), kCommandLimit);
  if (!done) return pass_on(done);
  return {};
}

Status LabSession::heal() {
  if (Status healed = heal_ports(); !healed) return healed;
  Result<std::string> done = run_checked(lab_command({"heal", "all"}), kCommandLimit);
  if (!done) return pass_on(done);
  return {};
}

Result<json> LabSession::ask(const std::string& node, const Arguments& request) {
  Arguments command{options_.hanetctl.string(), "--run-dir", run_dir(node).string(), "--json"};
  command.insert(command.end(), request.begin(), request.end());
  Result<Output> output = run(command, kCommandLimit);
  if (!output) return pass_on(output);
  json answer = json::parse(output->out, nullptr, false);
  if (answer.is_discarded()) {
    return failure(fmt::format("hanetctl {} on {} printed no JSON: {}{}", request.front(), node,
                               output->out.substr(0, 200), output->error));
  }
  // A status that says "not protected" is an answer as well.
  if (!answer.value("ok", false))
    return failure(fmt::format("hanetctl {} on {} ended with {}: {}", request.front(), node,
                               output->exit_code, output->error));
  return answer;
}

Result<NodeState> LabSession::state(const std::string& node) {
  Result<json> status = ask(node, {"status"});
  if (!status) return pass_on(status);
  try {
    return read_state(*status, options_.mode);
  } catch (const json::exception& error) {
    return failure(fmt::format("hanetctl status on {} lacks a field: {}", node, error.what()));
  }
}

Result<json> LabSession::switchovers(const std::string& node) {
  Result<json> answer = ask(node, {"explain"});
  if (!answer) return pass_on(answer);
  if (!answer->is_object() || !answer->contains("switchovers")) {
    return failure(fmt::format("hanetctl explain on {} lists no switchovers", node));
  }
  return answer->at("switchovers");
}

Result<Child> LabSession::record_events(const std::string& node) {
  return Child::start(
      {options_.hanetctl.string(), "--run-dir", run_dir(node).string(), "--json", "watch"},
      run_dir(node) / "events");
}

std::vector<json> LabSession::recorded_events(const std::string& node) const {
  std::vector<json> events;
  std::ifstream file(run_dir(node) / "events");
  for (std::string line; std::getline(file, line);) {
    json event = json::parse(line, nullptr, false);
    if (event.is_object()) events.push_back(std::move(event));
  }
  return events;
}

Status LabSession::switch_to(const std::string& node, const std::string& port) {
  Result<std::string> done = run_checked({options_.hanetctl.string(), "--run-dir",
                                          run_dir(node).string(), "switch", kGroup, "--to", port},
                                         kCommandLimit);
  if (!done) return pass_on(done);
  return {};
}

Status LabSession::await_ready(std::chrono::milliseconds limit) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::string& node = nodes_[i];
    Status ready = await(limit, fmt::format("hanet on {} is ready", node), [&]() -> Result<bool> {
      // A dead daemon never gets ready: no reason to wait for the deadline.
      if (!daemons_[i].running()) return true;
      Result<NodeState> state_now = state(node);
      if (!state_now) return pass_on(state_now);
      return state_now->ready;
    });
    if (ready && !daemons_[i].running()) ready = failure(fmt::format("hanetd on {} ended", node));
    if (!ready) return std::unexpected(with_log(std::move(ready).error(), node));
  }
  return {};
}

Status LabSession::await_active(const std::string& port, std::chrono::milliseconds limit) {
  for (const std::string& node : nodes_) {
    Status status =
        await(limit, fmt::format("{} on {} is active", port, node), [&]() -> Result<bool> {
          Result<NodeState> state_now = state(node);
          if (!state_now) return pass_on(state_now);
          return state_now->active == port;
        });
    if (!status) return status;
  }
  return {};
}

}  // namespace hanet::bench
