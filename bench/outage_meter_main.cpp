// SPDX-License-Identifier: Apache-2.0
//
// outage_meter: the meter as a program, for measuring by hand or from a script.
//
//   tools/lab up switch
//   outage_meter --a hl-lab-host,192.0.2.1 --b hl-lab-client,192.0.2.10 --duration-ms 2000 &
//   tools/lab fault blackhole
//
// Exit codes: 0 measured (also with losses), 1 could not measure, 2 wrong usage.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "bench/interrupt.h"
#include "bench/outage_meter.h"

namespace {

using namespace hanet::bench;

struct Options {
  MeterOptions meter;
  bool json = false;
};

int measure(const Options& options) {
  hanet::Result<std::unique_ptr<OutageMeter>> meter = OutageMeter::open(options.meter);
  if (!meter) {
    fmt::print(stderr, "outage_meter: {}\n", meter.error().message);
    return 1;
  }
  if (hanet::Status started = (*meter)->start(); !started) {
    fmt::print(stderr, "outage_meter: {}\n", started.error().message);
    return 1;
  }
  while (!(*meter)->finished() && !interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const MeterReport report = (*meter)->stop();
  fmt::print("{}", options.json ? to_json(report).dump(2) + "\n" : to_text(report));
  return 0;
}

void add_end(CLI::App& app, const std::string& name, Endpoint& end) {
  app.add_option_function<std::pair<std::string, std::string>>(
         name,
         [&end](const std::pair<std::string, std::string>& value) {
           end.netns = value.first;
           end.address = value.second;
         },
         "one end: NAMESPACE,ADDRESS")
      ->required()
      ->delimiter(',');
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::int64_t duration_ms = 1000;
  CLI::App app("Sends numbered UDP both ways between two network namespaces, reports outages.");
  add_end(app, "--a", options.meter.a);
  add_end(app, "--b", options.meter.b);
  app.add_option("--port", options.meter.a.port, "UDP port at both ends, of the first flow")
      ->capture_default_str();
  app.add_option("--rate", options.meter.packets_per_second, "packets/s per direction")
      ->check(CLI::Range(100, 200'000))
      ->capture_default_str();
  app.add_option("--flows", options.meter.flows, "that the packets are spread over")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--duration-ms", duration_ms, "how long")
      ->check(CLI::Range(1, 3'600'000))
      ->capture_default_str();
  app.add_flag("--json", options.json, "print JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.meter.b.port = options.meter.a.port;
  options.meter.longest_run = std::chrono::milliseconds(duration_ms);
  catch_interrupts();
  return measure(options);
}
