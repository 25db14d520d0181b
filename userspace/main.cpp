// SPDX-License-Identifier: Apache-2.0
//
// hanetd. In order: options, configuration, cards, real-time manners, engine and groups, serve. The
// exit codes are those of hanetd(8).
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "config/limits.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/priority.h"
#include "daemon/daemon.h"
#include "daemon/late_groups.h"
#include "daemon/responder.h"
#include "daemon/unconfirmed.h"
#include "group/host_check.h"

namespace {

constexpr int kExitRuntime = 1;
constexpr int kExitUsage = 2;
constexpr int kExitConfig = 3;

struct Options {
  std::filesystem::path config = "/etc/hanet/hanet.toml";
  hanet::daemon::DaemonOptions daemon{.config_file = {},
                                      .run_directory = "/run/hanet",
                                      .state_directory = {},
                                      .pin_directory = "/sys/fs/bpf/hanet",
                                      .hooks = "/etc/hanet/hooks.d"};
  bool check = false;
  bool configured = false;
  bool responder = false;
  std::vector<std::string> interfaces;  ///< of the responder
  std::filesystem::path key_file;
  std::uint16_t ether_type = HANET_BEAT_TYPE;
  std::uint16_t udp_port = 0;
  int hook_limit_s = 30;
};

// A page fault or a scheduler's whim in the middle of a switchover would be an outage.
void prepare_process() {
  hanet::give_memory_back();  // loading needed 10 MiB for the kernel's BTF
  if (!hanet::lock_memory())
    hanet::log::warning(
        "memory is not locked (CAP_IPC_LOCK is needed): a switchover may wait for "
        "a page");
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  if (!hanet::become_real_time(hanet::kMainPriority))
    hanet::log::warning(
        "no real-time priority (CAP_SYS_NICE is needed): a busy host delays "
        "switchovers");
}

int fail(int code, const hanet::Error& error) {
  hanet::log::error("{}", error.message);
  return code;
}

// A restart has left it, and nobody takes it over: the unit does nothing until somebody acts.
void tell_what_is_left(const Options& options) {
  std::error_code ignored;
  if (std::filesystem::exists(options.daemon.pin_directory / "sessions", ignored))
    hanet::log::warning(
        "what the hanetd before left in {} goes on in the kernel, if none runs; 'hanetctl detach' "
        "takes it off",
        options.daemon.pin_directory.string());
}

// Nothing to do is no mistake: a package brings a file in which everything is commented out.
bool is_nothing_configured(const hanet::Error& error) {
  return error.code == ENODATA || error.code == ENOENT;
}

hanet::Error explained(const hanet::Error& error, const std::filesystem::path& file) {
  if (!is_nothing_configured(error)) return error;
  return {.code = error.code,
          .message = file.string() +
                     (error.code == ENOENT ? ": nothing is configured: there is no such file"
                                           : ": nothing is configured: there is no [[group]]") +
                     "; see hanet.toml(5)"};
}

// A file that is wrong is something to do as well: the start tells what is wrong.
int tell_if_configured(const Options& options) {
  const hanet::Result<hanet::config::Config> config = hanet::config::load(options.config);
  if (config || !is_nothing_configured(config.error())) return 0;
  tell_what_is_left(options);
  return fail(kExitRuntime, explained(config.error(), options.config));
}

// With --wait a group that does not fit is late, and harms no other one. What is run as a way back
// is run whole, or not at all.
hanet::Status check_cards(const hanet::daemon::Candidate& candidate, const Options& options) {
  if (options.daemon.wait && !candidate.is_way_back) return {};
  const hanet::config::Config& config = candidate.config;
  const hanet::Result<hanet::config::Config> here =
      options.daemon.wait ? hanet::daemon::without_late_groups(config, options.daemon.run_directory)
                          : config;
  if (!here) return std::unexpected(here.error());
  return hanet::group::check_cards(*here, options.config.string(), options.daemon.run_directory,
                                   options.daemon.wait ? hanet::config::DeviceOnPort::IsAlarm
                                                       : hanet::config::DeviceOnPort::IsMistake);
}

int check(const Options& options) {
  const hanet::Result<hanet::config::Config> config = hanet::config::load(options.config);
  if (!config) return fail(kExitConfig, explained(config.error(), options.config));
  const hanet::Status fits =
      hanet::group::check_host(*config, options.config.string(), options.daemon.run_directory);
  if (!fits) return fail(kExitConfig, fits.error());
  hanet::log::notice("{}: good, {} group(s)", options.config.string(), config->groups.size());
  return 0;
}

// A service is started again and again, at once, so that a crash costs nothing. What this host can
// not do at all it can not do five times a second either.
int fail_to_start(const hanet::Error& error) {
  const int code = fail(kExitRuntime, error);
  if (std::getenv("NOTIFY_SOCKET") != nullptr) std::this_thread::sleep_for(std::chrono::seconds(2));
  return code;
}

int serve(const hanet::daemon::Candidate& candidate, hanet::daemon::Unconfirmed& unconfirmed,
          const Options& options) {
  hanet::log::set_level(candidate.config.log_level);
  // The start itself looks at the rest, before it touches anything.
  const hanet::Status fits = check_cards(candidate, options);
  if (!fits) return fail(kExitConfig, fits.error());
  auto daemon = hanet::daemon::Daemon::start(candidate, unconfirmed, options.daemon);
  if (!daemon && candidate.is_way_back) return fail(kExitConfig, daemon.error());
  if (!daemon) return fail_to_start(daemon.error());
  prepare_process();
  const hanet::Status ended = (*daemon)->run();
  return ended ? 0 : fail(kExitRuntime, ended.error());
}

// What ran before a file that nobody confirmed may not run any more: the file is better than none.
int serve_one(const Options& options) {
  hanet::daemon::Unconfirmed unconfirmed(options.daemon.lasting());
  const auto candidates = unconfirmed.candidates(options.config);
  if (!candidates) return fail(kExitConfig, explained(candidates.error(), options.config));
  int code = 0;
  for (const hanet::daemon::Candidate& candidate : *candidates) {
    code = serve(candidate, unconfirmed, options);
    if (!candidate.is_way_back || code != kExitConfig) break;
    hanet::log::error("what ran before the reload that nobody confirmed can not run; {} is taken",
                      options.config.string());
  }
  return code;
}

// No configuration is read: what a responder needs is on the command line.
int respond(const Options& options) {
  auto responder = hanet::daemon::Responder::start({.interfaces = options.interfaces,
                                                    .key_file = options.key_file,
                                                    .ether_type = options.ether_type,
                                                    .udp_port = options.udp_port,
                                                    .run_directory = options.daemon.run_directory,
                                                    .pin_directory = options.daemon.pin_directory,
                                                    .bpf_timer = options.daemon.bpf_timer,
                                                    .wait = options.daemon.wait});
  if (!responder) return fail_to_start(responder.error());
  const hanet::Status ended = (*responder)->run();
  return ended ? 0 : fail(kExitRuntime, ended.error());
}

CLI::Option* add_responder(CLI::App& app, Options& options) {
  CLI::Option* responder = app.add_flag("--responder", options.responder,
                                        "only answer the heartbeats (kind hanet) of other hosts");
  CLI::Option* interface =
      app.add_option("--interface", options.interfaces, "where to answer; once for each interface")
          ->needs(responder);
  CLI::Option* key_file =
      app.add_option("--key-file", options.key_file, "keys of the heartbeats (hanet.toml(5))")
          ->needs(responder);
  app.add_option("--ether-type", options.ether_type, "EtherType of the heartbeats, default 0x88b5")
      ->check(CLI::Range(hanet::config::kEtherType.low, hanet::config::kEtherType.high))
      ->check([](const std::string& text) {
        return hanet::config::is_taken_ether_type(std::stol(text, nullptr, 0))
                   ? text + " is that of another protocol"
                   : std::string();
      })
      ->needs(responder);
  app.add_option("--udp-port", options.udp_port,
                 "answer those that are UDP datagrams to this port, too")
      ->check(CLI::Range(hanet::config::kUdpPort.low, hanet::config::kUdpPort.high))
      ->needs(responder);
  return responder->needs(interface)->needs(key_file);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("hanetd - keeps a host reachable when a network path fails");
  app.add_option("--config", options.config, "configuration file (hanet.toml(5))");
  app.add_option("--run-dir", options.daemon.run_directory, "directory of the control socket");
  app.add_option("--state-dir", options.daemon.state_directory,
                 "directory of the history, to outlive reboots (default: as --run-dir)");
  app.add_option("--pin-dir", options.daemon.pin_directory, "directory of the pinned BPF maps");
  app.add_option("--hooks-dir", options.daemon.hooks,
                 "directory of the programs to run for each event");
  app.add_option("--hook-limit", options.hook_limit_s, "seconds that one of them may run")
      ->check(CLI::Range(1, 3600));
  app.add_flag("--check", options.check, "check the configuration and the interfaces, then exit");
  app.add_flag("--configured", options.configured,
               "exit with 1 if the configuration file has nothing to do, say so, and do nothing");
  app.add_flag(
      "--wait", options.daemon.wait,
      "a group whose interfaces are not here yet, or that does not fit this host, is late; "
      "the others begin");
  app.add_flag("!--no-pacer", options.daemon.pacer,
               "send the heartbeats by hanetd, although the kernel could");
  app.add_flag("!--no-bpf-timer", options.daemon.bpf_timer,
               "keep deadlines in hanetd, as on kernels that refuse bpf_timer");
  CLI::Option* responder = add_responder(app, options);
  for (const char* of_groups : {"--state-dir", "--hooks-dir", "--check", "--configured"})
    responder->excludes(app.get_option(of_groups));
  app.set_version_flag("--version", "hanetd " HANET_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    return app.exit(stop) == 0 ? 0 : kExitUsage;
  }
  options.daemon.config_file = options.config;
  options.daemon.hook_limit = std::chrono::seconds(options.hook_limit_s);
  if (options.responder) return respond(options);
  if (options.configured) return tell_if_configured(options);
  if (options.check) return check(options);
  const int code = serve_one(options);
  if (code == kExitConfig) tell_what_is_left(options);
  return code;
}
