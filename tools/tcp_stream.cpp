// SPDX-License-Identifier: Apache-2.0
//
// tcp_stream: one long-lived TCP connection whose every byte is known.
//
// What a person wants to see of a failover is that a download goes on. The server sends an endless
// row of 64-bit words, each a function of its place in the row; the client pulls and compares. So a
// byte that is lost, doubled or changed is found at once, and so is a connection that died and was
// quietly opened again: the row would begin anew. The client opens one connection and never a
// second.
//
// The server paces itself: a stream that fills both cores would measure the machine. SIGUSR1 marks
// a moment for the client, "the cable is cut now": what it reports of bytes and of the longest
// stall is relative to the mark.
//
//   tcp_stream serve --port 9100
//   tcp_stream pull --address 192.0.2.1 --port 9100 --duration-ms 5000 --json
//
// Exit codes of pull: 0 the connection lived to the end, 1 it did not, 2 wrong usage.
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/fd.h"
#include "core/result.h"

namespace {

using namespace std::chrono_literals;
using hanet::Fd;
using hanet::MonotonicTime;
using hanet::Result;

constexpr auto kTick = 1ms;
constexpr auto kConnectLimit = 5s;

struct Options {
  std::string address = "0.0.0.0";
  std::uint16_t port = 9100;
  std::uint32_t bytes_per_second = 20'000'000;
  std::int64_t duration_ms = 5000;
  bool json = false;
};

/// The word at a place in the row (the finaliser of SplitMix64, so that no two places look alike).
std::uint64_t word_at(std::uint64_t place) {
  std::uint64_t word = (place + 1) * 0x9e3779b97f4a7c15U;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
  return word ^ (word >> 27);
}

std::uint8_t byte_at(std::uint64_t position) {
  const auto bytes = std::bit_cast<std::array<std::uint8_t, 8>>(word_at(position / 8));
  return bytes[position % 8];
}

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* generic() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  [[nodiscard]] Fd socket() const {
    return Fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
};

Result<Endpoint> endpoint(const Options& options) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(options.address.c_str(), std::to_string(options.port).c_str(), &hints,
                    &found) != 0)
    return hanet::failure(fmt::format("'{}' is not an IP address", options.address));
  Endpoint endpoint;
  std::memcpy(&endpoint.storage, found->ai_addr, found->ai_addrlen);
  endpoint.length = found->ai_addrlen;
  ::freeaddrinfo(found);
  return endpoint;
}

// --- server --------------------------------------------------------------------------------------

Result<Fd> listen_on(const Options& options) {
  const Result<Endpoint> here = endpoint(options);
  if (!here) return std::unexpected(here.error());
  Fd listener = here->socket();
  const int yes = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (::bind(listener.get(), here->generic(), here->length) != 0 ||
      ::listen(listener.get(), 4) != 0)
    return hanet::errno_error(errno, fmt::format("listen on port {}", options.port));
  return listener;
}

/// Sends until the client leaves. A send that blocks is the stall that the client measures.
void feed(const Fd& client, std::uint32_t bytes_per_second) {
  // Else what is sent slowly waits for acknowledgements, which are delayed by 40 ms (RFC 896,
  // 1122).
  const int yes = 1;
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  const std::size_t words = std::max<std::size_t>(bytes_per_second / 1000 / 8, 1);
  std::vector<std::uint64_t> chunk(words);
  std::uint64_t place = 0;
  MonotonicTime next = hanet::monotonic_now();
  while (true) {
    for (std::uint64_t& word : chunk) word = word_at(place++);
    const char* data = reinterpret_cast<const char*>(chunk.data());
    std::size_t left = words * sizeof(std::uint64_t);
    while (left > 0) {
      const ssize_t sent = ::send(client.get(), data, left, MSG_NOSIGNAL);
      if (sent < 0) return;
      data += sent;
      left -= static_cast<std::size_t>(sent);
    }
    next = std::max(next + kTick, hanet::monotonic_now());
    std::this_thread::sleep_until(next);
  }
}

int serve(const Options& options) {
  const Result<Fd> listener = listen_on(options);
  if (!listener) {
    fmt::print(stderr, "tcp_stream: {}\n", listener.error().message);
    return 1;
  }
  while (true) {
    const Fd client(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.valid()) feed(client, options.bytes_per_second);
  }
}

// --- client --------------------------------------------------------------------------------------

volatile std::sig_atomic_t mark_seen = 0;
void note_mark(int) { mark_seen = 1; }

struct Report {
  std::uint64_t bytes = 0;
  std::uint64_t bytes_before_mark = 0;
  std::uint64_t bytes_before_stall = 0;
  hanet::Nanoseconds longest_stall{};
  bool wrong_data = false;
  std::string ended_by;  ///< empty: the connection lived to the end
  [[nodiscard]] bool survived() const {
    return ended_by.empty() && !wrong_data && bytes > bytes_before_stall &&
           bytes > bytes_before_mark;
  }
};

/// The server may still be starting; its port refuses until it listens.
Result<Fd> connect_to(const Options& options) {
  const Result<Endpoint> server = endpoint(options);
  if (!server) return std::unexpected(server.error());
  const MonotonicTime deadline = hanet::monotonic_now() + kConnectLimit;
  while (true) {
    Fd connection = server->socket();
    if (::connect(connection.get(), server->generic(), server->length) == 0) return connection;
    if (errno != ECONNREFUSED || hanet::monotonic_now() > deadline)
      return hanet::errno_error(errno,
                                fmt::format("connect to {}:{}", options.address, options.port));
    std::this_thread::sleep_for(5ms);
  }
}

/// Reads once; false when the connection is over.
bool read_some(const Fd& connection, Report& report) {
  static std::array<std::uint8_t, 65536> buffer;
  const ssize_t got = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    report.ended_by = got == 0 ? "the server closed it" : std::strerror(errno);
    return false;
  }
  for (ssize_t at = 0; at < got; ++at)
    if (buffer[static_cast<std::size_t>(at)] !=
        byte_at(report.bytes + static_cast<std::uint64_t>(at)))
      report.wrong_data = true;
  report.bytes += static_cast<std::uint64_t>(got);
  return true;
}

Report pull_stream(const Fd& connection, std::chrono::milliseconds duration) {
  Report report;
  MonotonicTime last = hanet::monotonic_now();
  const MonotonicTime end = last + duration;
  bool open = true;
  while (open && hanet::monotonic_now() < end) {
    pollfd waiting{.fd = connection.get(), .events = POLLIN, .revents = 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - hanet::monotonic_now());
    ::poll(&waiting, 1, static_cast<int>(std::max(left, 0ms).count()));
    const MonotonicTime now = hanet::monotonic_now();
    if (mark_seen != 0) {
      mark_seen = 0;
      report.bytes_before_mark = report.bytes;
      report.longest_stall = {};
    }
    if (now - last > report.longest_stall) {
      report.longest_stall = now - last;
      report.bytes_before_stall = report.bytes;
    }
    if (waiting.revents == 0) continue;
    open = read_some(connection, report);
    last = now;
  }
  return report;
}

int pull(const Options& options) {
  std::signal(SIGUSR1, note_mark);
  const Result<Fd> connection = connect_to(options);
  if (!connection) {
    fmt::print(stderr, "tcp_stream: {}\n", connection.error().message);
    return 1;
  }
  const Report report = pull_stream(*connection, std::chrono::milliseconds(options.duration_ms));
  const double stall_ms = static_cast<double>(report.longest_stall.count()) / 1e6;
  const std::uint64_t after = report.bytes - report.bytes_before_mark;
  if (options.json) {
    const nlohmann::ordered_json json{{"survived", report.survived()},
                                      {"bytes", report.bytes},
                                      {"bytes_before", report.bytes_before_mark},
                                      {"bytes_after", after},
                                      {"longest_stall_ms", stall_ms},
                                      {"wrong_data", report.wrong_data},
                                      {"resets", report.ended_by.empty() ? 0 : 1},
                                      {"ended_by", report.ended_by}};
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print("{} bytes, longest stall {:.3f} ms ({} bytes before, {} after), data {}{}\n",
               report.bytes, stall_ms, report.bytes_before_mark, after,
               report.wrong_data ? "WRONG" : "correct",
               report.ended_by.empty() ? "" : ", connection ended: " + report.ended_by);
  }
  return report.survived() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("One paced TCP stream whose every byte is checked.");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--address", options.address,
                 "of either family; serve: to listen on; pull: the server");
  app.add_option("--port", options.port)->capture_default_str();
  CLI::App* server = app.add_subcommand("serve", "sends to one client at a time, for ever");
  server->add_option("--rate", options.bytes_per_second, "bytes per second")
      ->check(CLI::Range(8'000U, 2'000'000'000U))
      ->capture_default_str();
  CLI::App* client = app.add_subcommand("pull", "reads and checks");
  client->add_option("--duration-ms", options.duration_ms)
      ->check(CLI::Range(1, 3'600'000))
      ->capture_default_str();
  client->add_flag("--json", options.json, "print JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return server->parsed() ? serve(options) : pull(options);
}
