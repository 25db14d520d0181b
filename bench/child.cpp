// SPDX-License-Identifier: Apache-2.0
//
// See child.h. Output is read from a pipe until the end of file, and only then is the child waited
// for: in the other order a child that writes more than a pipe holds would never end.
#include "bench/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "core/fd.h"

namespace hanet::bench {

using namespace std::chrono_literals;

namespace {

constexpr auto kEndPolitely = 3s;  // after SIGTERM, before SIGKILL

/// Only async-signal-safe calls between fork and exec: this process may have threads.
[[noreturn]] void become(char* const* argv, int out, int error) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::setpgid(0, 0);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(error, STDERR_FILENO);
  ::execvp(argv[0], argv);
  ::_exit(127);
}

Result<pid_t> spawn(const Arguments& arguments, int out, int error) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error(errno, fmt::format("start {}", arguments.front()));
  if (pid == 0) become(argv.data(), out, error);
  return pid;
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return code_of(status);
}

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
  return Pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
}

/// Reads both pipes to their end; false when the deadline came first.
bool read_all(const Fd& out, const Fd& error, Output& output, MonotonicTime deadline) {
  std::array<pollfd, 2> waiting{pollfd{.fd = out.get(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = error.get(), .events = POLLIN, .revents = 0}};
  const std::array<std::string*, 2> texts{&output.out, &output.error};
  std::array<char, 16384> buffer;
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - monotonic_now());
    if (left <= 0ms) return false;
    if (::poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) <= 0) continue;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents == 0) continue;
      const ssize_t count = ::read(waiting[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        texts[i]->append(buffer.data(), static_cast<std::size_t>(count));
      } else {
        waiting[i].fd = -1;  // poll skips it
      }
    }
  }
  return true;
}

}  // namespace

Result<Output> run(const Arguments& arguments, std::chrono::milliseconds limit) {
  Result<Pipe> out = make_pipe();
  if (!out) return pass_on(out);
  Result<Pipe> error = make_pipe();
  if (!error) return pass_on(error);
  Result<pid_t> pid = spawn(arguments, out->write.get(), error->write.get());
  if (!pid) return pass_on(pid);
  out->write.reset();
  error->write.reset();
  Output output;
  const bool ended = read_all(out->read, error->read, output, monotonic_now() + limit);
  if (!ended) ::kill(-*pid, SIGKILL);
  output.exit_code = wait_for(*pid);
  if (ended) return output;
  return failure(
      fmt::format("'{}' took longer than {} ms", fmt::join(arguments, " "), limit.count()));
}

Result<std::string> run_checked(const Arguments& arguments, std::chrono::milliseconds limit) {
  Result<Output> output = run(arguments, limit);
  if (!output) return pass_on(output);
  if (output->exit_code == 0) return std::move(output->out);
  return failure(fmt::format("'{}' ended with {}: {}", fmt::join(arguments, " "), output->exit_code,
                             output->error.empty() ? output->out : output->error));
}

Result<Child> Child::start(const Arguments& arguments, const std::filesystem::path& log) {
  const Fd file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file.valid()) return errno_error(errno, fmt::format("open {}", log.string()));
  Result<pid_t> pid = spawn(arguments, file.get(), file.get());
  if (!pid) return pass_on(pid);
  return Child(*pid);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(other.exit_code_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    stop();
    pid_ = std::exchange(other.pid_, -1);
    exit_code_ = other.exit_code_;
  }
  return *this;
}

Child::~Child() { stop(); }

bool Child::running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
  exit_code_ = code_of(status);
  pid_ = -1;
  return false;
}

int Child::stop() {
  if (running()) ::kill(pid_, SIGTERM);
  const MonotonicTime deadline = monotonic_now() + kEndPolitely;
  while (running()) {
    if (monotonic_now() > deadline) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(5ms);
  }
  return exit_code_.value_or(-1);
}

}  // namespace hanet::bench
