// SPDX-License-Identifier: Apache-2.0
//
// See client.h.
#include "client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace hanet::ctl {
namespace {

// Of a send to a daemon that reads nothing any more.
constexpr timeval kPatience{.tv_sec = kAnswersWithin.count(), .tv_usec = 0};

std::unexpected<Error> no_answer() {
  return std::unexpected(Error{
      .code = ETIMEDOUT,
      .message = "hanetd does not answer; is it frozen? (its failover in the kernel goes on)"});
}

}  // namespace

Result<Client> Client::connect(const std::filesystem::path& run_directory) {
  Result<Client> client = connect_to(run_directory / "hanetd.sock");
  if (client || client.error().code != EACCES) return client;
  client = connect_to(run_directory / "status.sock");
  if (!client && client.error().code == EACCES)
    return failure(client.error().message +
                   "; ask as root, or as a user of the group hanet, who may look");
  return client;
}

Result<Client> Client::connect_to(const std::filesystem::path& socket) {
  const std::string path = socket.string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return failure(fmt::format("{}: too long for a socket", path));
  std::ranges::copy(path, address.sun_path);
  Client client;
  client.fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(client.fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  if (::connect(client.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
      0) {
    if (errno == EAGAIN) return no_answer();  // so many have asked that none can wait any more
    return errno_error(errno, fmt::format("connect to hanetd at {}", path));
  }
  return client;
}

Result<Json> Client::read_line() {
  std::array<char, 65536> buffer;
  for (;;) {
    if (const std::size_t end = input_.find('\n'); end != std::string::npos) {
      Json value = Json::parse(input_.substr(0, end), nullptr, false);
      input_.erase(0, end + 1);
      if (value.is_discarded()) return failure("hanetd answered something that is not JSON");
      return value;
    }
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return no_answer();
    if (got < 0) return errno_error(errno, "read from hanetd");
    if (got == 0) return errno_error(ECONNRESET, "hanetd closed the connection");
    input_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<Json> Client::ask(const Json& request, std::chrono::seconds patience) {
  const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  const std::string line = request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size()))
    return errno_error(errno, "write to hanetd");
  return read_line();
}

Status Client::listen(const std::function<bool(const Json&)>& each) {
  constexpr timeval kForever{};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kForever, sizeof(kForever));
  for (;;) {
    Result<Json> line = read_line();
    if (!line) return pass_on(line);
    if (!each(*line)) return {};
  }
}

}  // namespace hanet::ctl
