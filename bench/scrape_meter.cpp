// SPDX-License-Identifier: Apache-2.0
//
// scrape_meter: how long scrapes take, from connecting to the last byte, at a given rate.
//
// It asks as Prometheus does, over a connection of its own each time, because hanet-exporter closes
// them. What is late waits for nobody: the next scrape is due when it is due.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "bench/distribution.h"
#include "core/clock.h"
#include "core/fd.h"

namespace {

using namespace hanet;

struct Options {
  std::uint16_t port = 9798;
  std::size_t count = 1000;
  double per_second = 100;
};

constexpr std::string_view kRequest =
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    "Accept: application/openmetrics-text;version=1.0.0\r\n\r\n";

/// The bytes of a whole answer; 0: none came.
std::size_t scrape(std::uint16_t port) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return 0;
  if (::send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) return 0;
  std::string answer;
  std::array<char, 65536> buffer;
  for (ssize_t got = 0; (got = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;)
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  return answer.ends_with("# EOF\n") ? answer.size() : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("scrape_meter - times scrapes of hanet-exporter at 127.0.0.1");
  app.add_option("--port", options.port, "where it serves");
  app.add_option("--count", options.count, "how many scrapes");
  app.add_option("--rate", options.per_second, "so many a second")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  const auto period = std::chrono::duration_cast<Nanoseconds>(
      std::chrono::duration<double>(1 / options.per_second));
  std::vector<double> milliseconds;
  std::size_t failed = 0, bytes = 0;
  MonotonicTime due = monotonic_now();
  for (std::size_t at = 0; at < options.count; ++at, due += period) {
    sleep_until(due);
    const MonotonicTime began = monotonic_now();
    const std::size_t got = scrape(options.port);
    const std::chrono::duration<double, std::milli> took = monotonic_now() - began;
    if (got == 0)
      ++failed;
    else
      milliseconds.push_back(took.count());
    bytes = std::max(bytes, got);
  }
  const bench::Distribution shown = bench::summarise(milliseconds);
  fmt::print(
      "{} scrapes of {} bytes, {} failed; ms: p50 {:.2f}, p95 {:.2f}, p99 {:.2f}, max {:.2f}\n",
      options.count, bytes, failed, shown.p50, shown.p95, shown.p99, shown.max);
  return failed == 0 ? 0 : 1;
}
