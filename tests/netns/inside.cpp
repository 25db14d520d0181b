// SPDX-License-Identifier: Apache-2.0
//
// See inside.h.
#include "netns/inside.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "core/fd.h"
#include "net/capture.h"
#include "net/netlink.h"

namespace hanet::test {
namespace {

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

void enter(const std::string& netns) {
  const Fd fd(::open(fmt::format("/run/netns/{}", netns).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || ::setns(fd.get(), CLONE_NEWNET) != 0)
    throw std::runtime_error(fmt::format("can not enter the namespace {}", netns));
}

}  // namespace

void inside(const std::string& netns, const std::function<void()>& body) {
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      enter(netns);
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

net::Identity identity_on(const std::string& netns, const std::string& port) {
  net::Identity identity;
  inside(netns, [&] {
    net::NetlinkSocket socket = value_of(net::NetlinkSocket::open());
    const net::LinkInfo link = value_of(net::find_link(socket, port));
    identity = value_of(net::capture(socket, link.interface));
  });
  return identity;
}

net::LinkInfo link_of(const std::string& netns, const std::string& port) {
  net::LinkInfo link;
  inside(netns, [&] {
    net::NetlinkSocket socket = value_of(net::NetlinkSocket::open());
    link = value_of(net::find_link(socket, port));
  });
  return link;
}

std::string sysctl(const std::string& netns, const std::string& name) {
  std::string value;
  inside(netns, [&] {
    std::ifstream file("/proc/sys/net/" + name);
    std::getline(file, value);
  });
  return value;
}

std::vector<std::string> differences(const net::Identity& before, const net::Identity& after) {
  const net::Place place = net::place_of(after);
  const net::Identity expected = net::retarget(before, place);
  std::vector<std::string> lines;
  for (const net::Vlan& vlan : before.vlans)
    if (place.at(vlan.tag) == nullptr) lines.push_back("no twin of " + vlan.on.name);
  for (const std::string& line : net::missing_from(after, expected, false))
    lines.push_back("lost: " + line);
  // Lifetimes only run down, so the other way round they are taken from the newer one.
  net::Identity aged = expected;
  for (net::Address& address : aged.addresses)
    for (const net::Address& now : after.addresses)
      if (now.local == address.local && now.prefix_length == address.prefix_length) {
        address.valid_seconds = now.valid_seconds;
        address.preferred_seconds = now.preferred_seconds;
      }
  for (const std::string& line : net::missing_from(aged, after, false))
    lines.push_back("appeared: " + line);
  return lines;
}

}  // namespace hanet::test
