// SPDX-License-Identifier: Apache-2.0
//
// hanet-exporter: what hanet counts, for Prometheus. In order: options, listen, attach, wait.
//
// It needs no rights but to connect to hanetd's socket for readers, and never ends by itself: while
// no hanetd runs it says so (hanet_up 0).
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "core/log.h"
#include "exporter/server.h"
#include "exporter/source.h"

namespace {

using hanet::exporter::Source;

constexpr int kExitRuntime = 1;
constexpr int kExitUsage = 2;

// How often a hanetd that is not there is looked for, and one whose end is not told is looked at.
constexpr int kLookAgainMs = 1000;

struct Options {
  std::filesystem::path run_directory = "/run/hanet";
  std::string listen = "127.0.0.1:9798";
};

/// Readable when a signal asks to end. The server's threads leave the signals to this one.
hanet::Fd open_signals() {
  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&handled, signal);
  ::pthread_sigmask(SIG_BLOCK, &handled, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return hanet::Fd(::signalfd(-1, &handled, SFD_CLOEXEC));
}

/// Attaches if it is not, and says what has changed; each reason once.
void look_for_hanetd(Source& source, std::string& told) {
  if (source.attached() && source.has_ended()) {
    source.detach();
    hanet::log::warning("hanetd has ended; hanet-exporter waits for the next one");
  }
  if (source.attached()) return;
  const hanet::Status attached = source.attach();
  const std::string now = attached ? "" : attached.error().message;
  if (attached)
    hanet::log::notice("attached to hanetd {}", source.version());
  else if (now != told)
    hanet::log::warning("there is no hanetd to read: {}", now);
  told = now;
}

void wait_and_attach(Source& source, const hanet::Fd& signals) {
  std::string told;
  while (true) {
    look_for_hanetd(source, told);
    std::array<pollfd, 2> waiting{
        pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = source.ended_descriptor(), .events = POLLIN, .revents = 0}};
    ::poll(waiting.data(), waiting.size(), kLookAgainMs);
    if ((waiting[0].revents & POLLIN) != 0) return;
  }
}

int serve(const Options& options) {
  const hanet::Fd signals = open_signals();
  Source source(options.run_directory / "status.sock");
  const auto collect = [&] {
    const auto metrics = std::make_unique<hanet::report::Metrics>();
    const bool read = source.read(*metrics, hanet::monotonic_now());
    return read ? hanet::exporter::families_of(*metrics)
                : hanet::exporter::families_without_hanetd();
  };
  auto server = hanet::exporter::Server::start(options.listen, collect);
  if (!server) {
    hanet::log::error("{}", server.error().message);
    return kExitRuntime;
  }
  ::sd_notifyf(0, "READY=1\nSTATUS=serving http://%s/metrics", options.listen.c_str());
  hanet::log::notice("serving http://{}/metrics", options.listen);
  wait_and_attach(source, signals);
  ::sd_notify(0, "STOPPING=1");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("hanet-exporter - what hanet counts, for Prometheus");
  app.add_option("--listen", options.listen, "ADDRESS:PORT to serve at");
  app.add_option("--run-dir", options.run_directory, "directory of hanetd's sockets");
  app.set_version_flag("--version", "hanet-exporter " HANET_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    return app.exit(stop) == 0 ? 0 : kExitUsage;
  }
  return serve(options);
}
