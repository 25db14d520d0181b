// SPDX-License-Identifier: Apache-2.0
//
// See control.h.
#include "daemon/control.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace hanet::daemon {
namespace {

constexpr std::size_t kMaxRequest = 64 * 1024;
constexpr std::size_t kMaxClients = 64;
constexpr std::ptrdiff_t kMaxWatchers = 48;  // the rest is for those who ask

// hanetctl asks as soon as it is connected; a person who types a request by hand gets a while.
constexpr Nanoseconds kIdleLimit = std::chrono::seconds(10);

constexpr int kBacklog = 16;

// Room for the largest answer, so that an honest client is never dropped for one.
constexpr int kSendBufferBytes = 4 * 1024 * 1024;

bool send_line(const Fd& fd, const Json& value) {
  const std::string line = value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t got =
        ::send(fd.get(), line.data() + sent, line.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (got < 0) return false;
    sent += static_cast<std::size_t>(got);
  }
  return true;
}

// A member of another type than expected makes the JSON library throw; that is the client's error.
Json answer_safely(const Json& request, const ControlSocket::Handler& handler) {
  if (!request.is_object()) return {{"ok", false}, {"error", "the request is not a JSON object"}};
  try {
    return handler(request);
  } catch (const Json::exception& wrong) {
    return {{"ok", false}, {"error", fmt::format("malformed request: {}", wrong.what())}};
  }
}

void open_to_group(const std::filesystem::path& path) {
  const struct group* hanet = ::getgrnam("hanet");
  if (hanet != nullptr && ::chown(path.c_str(), static_cast<uid_t>(-1), hanet->gr_gid) == 0)
    ::chmod(path.c_str(), 0660);
}

}  // namespace

Result<ControlSocket> ControlSocket::open(const std::filesystem::path& path, For whom) {
  ControlSocket control;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path.string();
  if (name.size() >= sizeof(address.sun_path))
    return failure(fmt::format("{}: too long for a socket; choose a shorter --run-dir", name));
  std::ranges::copy(name, address.sun_path);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  control.listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t mask = ::umask(0177);
  const int bound =
      ::bind(control.listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  ::umask(mask);
  if (bound != 0 || ::listen(control.listener_.get(), kBacklog) != 0)
    return errno_error(errno, fmt::format("open the control socket {}", name));
  control.path_ = path;
  if (whom == For::Readers) open_to_group(path);
  control.poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = control.listener_.get()}};
  ::epoll_ctl(control.poll_.get(), EPOLL_CTL_ADD, control.listener_.get(), &event);
  return control;
}

ControlSocket::~ControlSocket() {
  std::error_code ignored;
  if (listener_.valid()) std::filesystem::remove(path_, ignored);
}

// At most a full backlog a round: who connects all the time must not keep hanetd from its work.
void ControlSocket::accept_clients(MonotonicTime now) {
  for (int accepted = 0; accepted < kBacklog; ++accepted) {
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return;
    if (clients_.size() >= kMaxClients) make_room();
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBufferBytes, sizeof(kSendBufferBytes));
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd.get()}};
    ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd.get(), &event);
    clients_.push_back(
        Client{.fd = std::move(fd), .input = {}, .idle_since = now, .watching = false});
  }
}

// There is always one: fewer may watch than there are places.
void ControlSocket::make_room() {
  const auto oldest = std::ranges::min_element(clients_, {}, [](const Client& client) {
    return std::pair(client.watching, client.idle_since);
  });
  clients_.erase(oldest);
}

bool ControlSocket::answer_request(Client& client, const Json& request, const Handler& handler) {
  const auto asks_for = [&](const char* command) {
    return request.is_object() && request.contains("command") && request["command"] == command;
  };
  if (hand_out_ && asks_for("metrics")) return hand_out_(client.fd.get());
  if (!asks_for("watch")) return send_line(client.fd, answer_safely(request, handler));
  if (!client.watching && std::ranges::count(clients_, true, &Client::watching) >= kMaxWatchers)
    return send_line(client.fd,
                     {{"ok", false},
                      {"error", fmt::format("{} clients watch already, which is all that "
                                            "may; end one of them",
                                            kMaxWatchers)}});
  client.watching = true;
  return send_line(client.fd, {{"ok", true}});
}

bool ControlSocket::serve_client(Client& client, const Handler& handler, MonotonicTime now) {
  // One read and one answer a round: a client that never stops writing must not keep hanetd from
  // its work. hanetd comes by again before long, and the socket wakes it for what was not read yet.
  std::size_t end = client.input.find('\n');
  if (end == std::string::npos) {
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(client.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
    if (got > 0) client.input.append(buffer.data(), static_cast<std::size_t>(got));
    if (client.input.size() > kMaxRequest) return false;
    end = client.input.find('\n');
  }
  if (end != std::string::npos) {
    const Json request = Json::parse(client.input.substr(0, end), nullptr, false);
    client.input.erase(0, end + 1);
    client.idle_since = now;
    if (!answer_request(client, request, handler)) return false;
  }
  return client.watching || now < client.idle_since + kIdleLimit;
}

void ControlSocket::serve(const Handler& handler, MonotonicTime now) {
  accept_clients(now);
  clients_.remove_if([&](Client& client) { return !serve_client(client, handler, now); });
}

void ControlSocket::flush() {
  for (const Json& event : events_)
    clients_.remove_if(
        [&](const Client& client) { return client.watching && !send_line(client.fd, event); });
  events_.clear();
}

Result<ControlSockets> open_control_sockets(const std::filesystem::path& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return errno_error(failed.value(), fmt::format("create {}", directory.string()));
  Result<ControlSocket> control =
      ControlSocket::open(directory / "hanetd.sock", ControlSocket::For::Root);
  if (!control) return pass_on(control);
  Result<ControlSocket> reading =
      ControlSocket::open(directory / "status.sock", ControlSocket::For::Readers);
  if (!reading) return pass_on(reading);
  return ControlSockets{.control = std::make_unique<ControlSocket>(std::move(*control)),
                        .reading = std::make_unique<ControlSocket>(std::move(*reading))};
}

}  // namespace hanet::daemon
