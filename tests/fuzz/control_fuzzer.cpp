// SPDX-License-Identifier: Apache-2.0
//
// The control socket: whatever a client writes, each line is answered by one line of JSON or the
// client is dropped, and hanetd goes on (O3). The client is real; the commands behind the socket
// are those of the daemon in so far as they read the request.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "daemon/control.h"

namespace {

using hanet::Fd;
using hanet::Json;
using hanet::daemon::ControlSocket;

/// As Daemon::answer reads requests: with value(), which throws where the type is another one.
Json answer(const Json& request) {
  const std::string command = request.value("command", "");
  if (command == "history") return {{"ok", true}, {"last", request.value("last", std::size_t{9})}};
  if (command == "switch" && request.value("dry_run", false)) return {{"ok", true}};
  return {{"ok", !request.value("group", "").empty()},
          {"to", request.value("to", "")},
          {"port", request.value("port", "")},
          {"key", request.value("key", "")},
          {"value", request.value("value", "")}};
}

struct Server {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("hanet-fuzz-{}.sock", ::getpid());
  ControlSocket socket = *ControlSocket::open(path);
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
std::string answers(ControlSocket& server, const Fd& client) {
  std::string said;
  std::array<char, 65536> buffer;
  for (;;) {
    server.serve(answer);
    server.broadcast({{"event", "fuzz"}});
    server.flush();
    const ssize_t got = ::recv(client.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) said.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EAGAIN)) return said;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  const Fd client = ask(server.path, data, size);
  std::string said = answers(server.socket, client);
  for (std::size_t end = 0; (end = said.find('\n')) != std::string::npos; said.erase(0, end + 1))
    if (!Json::accept(said.substr(0, end))) std::abort();
  if (!said.empty()) std::abort();  // half a line
  return 0;
}
