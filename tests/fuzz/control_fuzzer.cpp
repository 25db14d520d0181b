// SPDX-License-Identifier: Apache-2.0
//
// The control socket: whatever a client writes, each line is answered by one line of JSON or the
// client is dropped, and hanetd goes on (O3). The client and the engine are real. There is no
// group, because nobody may switch one here; what `set` does with a group's parameters is done to
// the maps of one all the same.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "daemon/answers.h"
#include "daemon/control.h"
#include "group/live_parameters.h"

namespace {

using hanet::Fd;
using hanet::Json;
using hanet::daemon::ControlSocket;

std::unique_ptr<hanet::engine::Engine> loaded() {
  const char* pins = std::getenv("HANET_FUZZ_PINS");  // tests/fuzz/run removes them
  auto engine = hanet::engine::Engine::load(
      {.pin_directory = pins != nullptr ? pins : "/sys/fs/bpf/hanet-fuzz",
       .no_pacer_because = "one more thing that could differ"});
  if (engine) return std::move(*engine);
  fmt::print(stderr, "{}\n", engine.error().message);
  std::abort();
}

struct Hanetd {
  std::unique_ptr<hanet::engine::Engine> engine = loaded();
  hanet::daemon::KeptHistory history{"/nowhere"};  // nothing is read and nothing written
  hanet::daemon::GroupSet groups{*engine, {}, {}, [] {}};
  hanet::daemon::PortLocks locks;
  hanet::daemon::Unconfirmed unconfirmed{"/nowhere"};
  // A file that is not there: a reload is refused before it looks at the host.
  hanet::daemon::Reloads reloads{{.file = "/nowhere/hanet.toml", .run_directory = "/nowhere"},
                                 {},
                                 unconfirmed,
                                 groups,
                                 locks,
                                 [](const hanet::group::Notice&) {}};
  hanet::daemon::Answers answers{
      {.engine = *engine, .history = history, .groups = groups, .reloads = reloads}, {}};

  Hanetd() {
    hanet::failover::History switchovers;
    switchovers.add({});
    history.follow(switchovers, hanet::monotonic_now());
  }
  Json answer(const Json& request) const {
    if (request.value("command", "") != "set") return answers(request);
    const hanet::Status done = hanet::group::set_live_parameter(
        *engine, 0, request.value("key", ""), request.value("value", ""));
    return {{"ok", done.has_value()}, {"error", done ? "" : done.error().message}};
  }
};

const Hanetd& hanetd() {
  static const Hanetd instance;
  return instance;
}

struct Server {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("hanet-fuzz-{}.sock", ::getpid());
  ControlSocket socket = *ControlSocket::open(path, ControlSocket::For::Root);
};

/// Connects and sends; what does not fit into the socket's buffer is left out.
Fd ask(const std::filesystem::path& path, const std::uint8_t* data, std::size_t size) {
  Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path.string(), address.sun_path);
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    std::abort();
  static_cast<void>(::send(client.get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL));
  ::shutdown(client.get(), SHUT_WR);
  return client;
}

/// Everything that the server says until it hangs up.
std::string answers(const Hanetd& asked, ControlSocket& server, const Fd& client) {
  std::string said;
  std::array<char, 65536> buffer;
  for (;;) {
    server.serve([&](const Json& request) { return asked.answer(request); },
                 hanet::monotonic_now());
    server.broadcast({{"event", "fuzz"}});
    server.flush();
    const ssize_t got = ::recv(client.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) said.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EAGAIN)) return said;
  }
}

}  // namespace

// Loading the engine takes seconds on a slow machine; no input is to be blamed for that.
extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  static_cast<void>(hanetd());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  const Fd client = ask(server.path, data, size);
  std::string said = answers(hanetd(), server.socket, client);
  for (std::size_t end = 0; (end = said.find('\n')) != std::string::npos; said.erase(0, end + 1))
    if (!Json::accept(said.substr(0, end))) std::abort();
  if (!said.empty()) std::abort();  // half a line
  return 0;
}
