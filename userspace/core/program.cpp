// SPDX-License-Identifier: Apache-2.0
//
// See program.h.
#include "core/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/fd.h"

namespace hanet {
namespace {

std::string rest_of(int fd) {
  std::string all;
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t bytes = ::read(fd, part.data(), part.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return all;
    all.append(part.data(), static_cast<std::size_t>(bytes));
  }
}

/// 0, or an errno value.
int spawn(const std::vector<std::string>& command, int out, int error, pid_t& pid) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
  const int code =
      ::posix_spawnp(&pid, arguments.front(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return code;
}

}  // namespace

// Both outputs are files in memory: no pipe can be full while nobody reads it.
Result<std::string> output_of(const std::vector<std::string>& command) {
  const Fd out(::memfd_create("out", MFD_CLOEXEC)), error(::memfd_create("error", MFD_CLOEXEC));
  if (!out.valid() || !error.valid()) return errno_error(errno, "make room for an answer");
  pid_t pid = -1;
  if (const int code = spawn(command, out.get(), error.get(), pid); code != 0)
    return errno_error(code, fmt::format("run {}", command.front()));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::lseek(out.get(), 0, SEEK_SET);
  ::lseek(error.get(), 0, SEEK_SET);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::string said = rest_of(error.get());
    said.resize(std::min(said.find('\n'), said.size()));
    return failure(fmt::format("{} failed: {}", command.front(), said));
  }
  return rest_of(out.get());
}

}  // namespace hanet
