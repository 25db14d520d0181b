// SPDX-License-Identifier: Apache-2.0
//
// See echo.h.
#include "netns/echo.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "netns/await.h"

namespace hanet::test {
namespace {

constexpr int kAnswerWithinMs = 50;
constexpr int kStopWithinMs = 20;
constexpr std::uint16_t kFirstPort = 9200;

bench::UdpSocket open_or_throw(const bench::Endpoint& endpoint) {
  Result<bench::UdpSocket> socket = bench::open_udp_socket(endpoint);
  if (!socket) throw std::runtime_error(socket.error().message);
  return std::move(*socket);
}

const sockaddr* generic(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Echo::Echo(const Lab& lab) : Echo(lab, lab.conversations()) {}

Echo::Echo(const Lab& lab, const std::vector<Conversation>& conversations) {
  std::uint16_t port = kFirstPort;
  for (const Conversation& between : conversations) {
    Sockets with{
        .address = between.address,
        .server = open_or_throw(
            {.netns = lab.netns(between.server), .address = between.address, .port = port}),
        .client = open_or_throw(
            {.netns = lab.netns(between.client), .address = between.client_address, .port = port})};
    if (::connect(with.client.fd.get(), generic(with.server.address), with.server.address_length) !=
        0)
      throw std::runtime_error(fmt::format("the client has no route to {}", between.address));
    conversations_.push_back(std::move(with));
    ++port;
  }
  server_ = std::thread([this] { serve(); });
}

Echo::~Echo() {
  stopping_ = true;
  server_.join();
}

void Echo::serve() {
  std::vector<pollfd> waiting;
  for (const Sockets& with : conversations_)
    waiting.push_back({.fd = with.server.fd.get(), .events = POLLIN, .revents = 0});
  while (!stopping_) {
    if (::poll(waiting.data(), waiting.size(), kStopWithinMs) <= 0) continue;
    for (const pollfd& ready : waiting) {
      std::uint64_t question = 0;
      sockaddr_storage from{};
      socklen_t length = sizeof(from);
      while (::recvfrom(ready.fd, &question, sizeof(question), 0,
                        reinterpret_cast<sockaddr*>(&from), &length) == sizeof(question))
        ::sendto(ready.fd, &question, sizeof(question), 0, generic(from), length);
    }
  }
}

bool Echo::ask(const Sockets& with) {
  const std::uint64_t first = ++question_;
  // An error of an earlier packet (host unreachable) is reported by the next call: not ours.
  if (::send(with.client.fd.get(), &first, sizeof(first), 0) < 0)
    ::send(with.client.fd.get(), &first, sizeof(first), 0);
  pollfd waiting{.fd = with.client.fd.get(), .events = POLLIN, .revents = 0};
  while (::poll(&waiting, 1, kAnswerWithinMs) > 0) {
    std::uint64_t answer = 0;
    if (::recv(with.client.fd.get(), &answer, sizeof(answer), 0) < 0) return false;
    if (answer == first) return true;
  }
  return false;
}

testing::AssertionResult Echo::reaches(const std::string& address) {
  const auto with = std::ranges::find(conversations_, address, &Sockets::address);
  if (with == conversations_.end())
    return testing::AssertionFailure() << address << " is asked by nobody";
  return await(fmt::format("an answer from {}", address), [&] { return ask(*with); });
}

testing::AssertionResult Echo::reaches_every_address() {
  for (const Sockets& with : conversations_)
    if (testing::AssertionResult reached = reaches(with.address); !reached) return reached;
  return testing::AssertionSuccess();
}

}  // namespace hanet::test
