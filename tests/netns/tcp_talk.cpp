// SPDX-License-Identifier: Apache-2.0
//
// See tcp_talk.h.
#include "netns/tcp_talk.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "netns/inside.h"

namespace hanet::test {
namespace {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* generic() const {
    return reinterpret_cast<const sockaddr*>(&address);
  }
};

Endpoint endpoint(const std::string& text, std::uint16_t port) {
  Endpoint at;
  if (text.contains(':')) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    ::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr);
    at.length = sizeof(v6);
    std::memcpy(&at.address, &v6, sizeof(v6));
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    ::inet_pton(AF_INET, text.c_str(), &v4.sin_addr);
    at.length = sizeof(v4);
    std::memcpy(&at.address, &v4, sizeof(v4));
  }
  return at;
}

Fd tcp_socket(const Endpoint& at) {
  return Fd(::socket(at.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

bool ready(const Fd& fd, short events) {
  pollfd waiting{.fd = fd.get(), .events = events, .revents = 0};
  return ::poll(&waiting, 1, 0) > 0 && (waiting.revents & events) != 0;
}

}  // namespace

TcpTalk::TcpTalk(const Lab& lab, Conversation between, std::uint16_t port)
    : client_netns_(lab.netns(between.client)), between_(std::move(between)), port_(port) {
  inside(lab.netns(between_.server), [&] {
    const Endpoint at = endpoint(between_.address, port_);
    listening_ = tcp_socket(at);
    if (::bind(listening_.get(), at.generic(), at.length) != 0 ||
        ::listen(listening_.get(), 4) != 0)
      throw std::runtime_error("can not listen at " + name() + ": " + std::strerror(errno));
  });
}

std::string TcpTalk::name() const {
  return fmt::format("{} port {}, asked from {}", between_.address, port_, between_.client);
}

testing::AssertionResult TcpTalk::begins(std::chrono::milliseconds limit) {
  inside(client_netns_, [&] {
    const Endpoint at = endpoint(between_.address, port_);
    client_ = tcp_socket(at);
    if (::connect(client_.get(), at.generic(), at.length) != 0 && errno != EINPROGRESS)
      throw std::runtime_error("can not connect to " + name() + ": " + std::strerror(errno));
  });
  server_ = Fd();
  return await(
      "a connection to " + name(),
      [&] {
        if (server_.get() < 0)
          server_ = Fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        return server_.get() >= 0 && ready(client_, POLLOUT);
      },
      limit);
}

testing::AssertionResult TcpTalk::answers() {
  const std::uint64_t asked = ++question_;
  std::uint64_t heard = 0;
  std::uint64_t answer = 0;
  if (::send(client_.get(), &asked, sizeof(asked), MSG_NOSIGNAL) != sizeof(asked))
    return testing::AssertionFailure() << name() << ": " << std::strerror(errno);
  testing::AssertionResult came = await("an answer over the connection to " + name(), [&] {
    if (heard == 0 && ::recv(server_.get(), &heard, sizeof(heard), 0) == sizeof(heard))
      ::send(server_.get(), &heard, sizeof(heard), MSG_NOSIGNAL);
    return ::recv(client_.get(), &answer, sizeof(answer), 0) == sizeof(answer);
  });
  if (came && answer != asked)
    return testing::AssertionFailure()
           << name() << " answered question " << answer << " when " << asked << " was asked";
  return came;
}

}  // namespace hanet::test
