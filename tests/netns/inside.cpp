// SPDX-License-Identifier: Apache-2.0
//
// See inside.h.
#include "netns/inside.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <exception>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "core/fd.h"

namespace hanet::test {
namespace {

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

std::string sysctl(const std::string& netns, const std::string& name) {
  std::string value;
  inside(netns, [&] {
    std::ifstream file("/proc/sys/net/" + name);
    std::getline(file, value);
  });
  return value;
}

}  // namespace hanet::test
