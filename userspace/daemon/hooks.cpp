// SPDX-License-Identifier: Apache-2.0
//
// See hooks.h.
#include "daemon/hooks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "daemon/journal.h"

namespace hanet::daemon {
namespace {

constexpr std::size_t kMaxWaiting = 512;
constexpr std::size_t kKeptOutput = 4096;
// What forks in sessions of its own may be faster than a look at the children.
constexpr int kRounds = 1000;

bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

/// A file with the event; a pipe would have to be fed.
Fd file_with(const std::string& text) {
  Fd file(::memfd_create("event", MFD_CLOEXEC));
  [[maybe_unused]] const ssize_t written = ::write(file.get(), text.data(), text.size());
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

// What hanetd needs to go on when memory or processors run short is not for hooks.
void be_like_any_other() {
  std::ofstream("/proc/self/oom_score_adj") << 0;
  constexpr rlimit kNone{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_RTPRIO, &kNone);
  ::setrlimit(RLIMIT_MEMLOCK, &kNone);
}

// In the child, behind fork(): the notifier has one thread.
[[noreturn]] void become(const std::filesystem::path& program, std::vector<std::string> environment,
                         int input, int output) {
  ::setpgid(0, 0);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_DFL);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  be_like_any_other();
  [[maybe_unused]] const int moved = ::chdir("/");
  std::string path = program.string();
  std::array<char*, 2> arguments{path.data(), nullptr};
  std::vector<char*> variables;
  for (std::string& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  ::execve(path.c_str(), arguments.data(), variables.data());
  const std::string reason = fmt::format("can not be run: {}\n", std::strerror(errno));
  [[maybe_unused]] const ssize_t told = ::write(STDERR_FILENO, reason.data(), reason.size());
  ::_exit(127);
}

std::vector<pid_t> own_children() {
  std::ifstream file(fmt::format("/proc/self/task/{}/children", ::gettid()));
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

// Whatever it started is a child of this process once its own parent has ended (subreaper).
void end_all_children() {
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<pid_t> children = own_children();
    if (children.empty()) return;
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  }
}

std::string outcome_of(int status) {
  if (WIFEXITED(status)) return fmt::format("ended with {}", WEXITSTATUS(status));
  return fmt::format("was ended by signal {}", WTERMSIG(status));
}

}  // namespace

bool is_hook_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && std::ranges::all_of(name, is_plain) &&
         name.find(".dpkg-") == std::string_view::npos && !name.ends_with(".rpmsave") &&
         !name.ends_with(".rpmnew");
}

std::vector<std::string> environment_of(const Json& event) {
  std::vector<std::string> variables{
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
      "HANET_VERSION=" HANET_VERSION};
  for (const char* key : {"event", "group", "path", "text", "wall_time"})
    variables.push_back(
        fmt::format("HANET_{}={}", variable_name_of(key), event.at(key).get<std::string>()));
  for (const auto& [name, value] : event.at("facts").items())
    variables.push_back(
        fmt::format("HANET_{}={}", variable_name_of(name), value.get<std::string>()));
  return variables;
}

Hooks::~Hooks() {
  if (running_) end_process_group();
  end_all_children();
}

// All of it at one moment, so that none is left to fork: fork(2) fails for who is being killed. The
// hook itself has not been waited for, so the group is still its own.
void Hooks::end_process_group() const {
  ::kill(-running_->pid, SIGKILL);
  ::kill(running_->pid, SIGKILL);  // it may not have come to make the group
}

void Hooks::warn_once(const std::string& text) {
  if (warned_.insert(text).second) log::warning("{}", text);
}

std::string Hooks::why_not(const std::filesystem::path& file) const {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return std::strerror(errno);
  if (!S_ISREG(status.st_mode)) return "it is no regular file";
  if (status.st_uid != ::geteuid()) return "it is not root's";
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "others than root may write to it";
  if ((status.st_mode & S_IXUSR) == 0) return "it is not executable";
  return {};
}

std::vector<std::string> Hooks::programs() {
  struct stat status{};
  if (::stat(directory_.c_str(), &status) != 0) return {};
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    warn_once(fmt::format("no hook is run: {} is not root's alone (chown root, chmod go-w)",
                          directory_.string()));
    return {};
  }
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, ignored)) {
    const std::string name = entry.path().filename();
    if (!is_hook_name(name)) continue;
    if (const std::string reason = why_not(entry.path()); !reason.empty())
      warn_once(fmt::format("hook {} is not run: {}", entry.path().string(), reason));
    else
      names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

void Hooks::add(const Json& event) {
  for (std::string& name : programs()) waiting_.push_back({std::move(name), event});
  while (waiting_.size() > kMaxWaiting) {
    log::warning("hook {} is not run for '{}': the hooks are {} runs behind", waiting_.front().hook,
                 waiting_.front().event.value("event", ""), kMaxWaiting);
    waiting_.pop_front();
  }
}

void Hooks::start(const Run& run, MonotonicTime now) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    return log::warning("hook {} can not be started: {}", run.hook, std::strerror(errno));
  Fd write_end(pipe[1]);
  ::fcntl(write_end.get(), F_SETFL, 0);  // the hook's end waits like any other
  const Fd input = file_with(run.event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  Running running{.hook = run.hook, .process = {}, .output = Fd(pipe[0])};
  running.pid = ::fork();
  if (running.pid == 0)
    become(directory_ / run.hook, environment_of(run.event), input.get(), write_end.get());
  if (running.pid < 0) {
    log::warning("hook {} can not be started: {}", run.hook, std::strerror(errno));
    return;
  }
  running.process.reset(static_cast<int>(::syscall(SYS_pidfd_open, running.pid, 0)));
  running.ends_at = now + limit_;
  running_ = std::move(running);
}

void Hooks::read_output() {
  std::array<char, 65536> part;
  for (int round = 0; round < 16; ++round) {
    const ssize_t got = ::read(running_->output.get(), part.data(), part.size());
    if (got == 0) running_->output.reset();  // all ends are closed
    if (got <= 0) return;
    running_->bytes += static_cast<std::size_t>(got);
    const std::size_t room = kKeptOutput - std::min(kKeptOutput, running_->printed.size());
    running_->printed.append(part.data(), std::min(room, static_cast<std::size_t>(got)));
  }
}

void Hooks::finish() {
  int status = 0;
  end_process_group();
  ::waitpid(running_->pid, &status, 0);
  read_output();
  end_all_children();
  const Running done = std::move(*running_);
  running_.reset();
  std::string text = done.printed;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (done.bytes > done.printed.size()) text += fmt::format(" ... ({} bytes)", done.bytes);
  if (done.was_killed)
    log::warning("hook {} was ended after {} ms, which is all that a hook gets", done.hook,
                 limit_.count());
  else if (status != 0)
    log::warning("hook {} {}{}{}", done.hook, outcome_of(status), text.empty() ? "" : ": ", text);
  else if (!text.empty())
    log::info("hook {}: {}", done.hook, text);
}

void Hooks::tick(MonotonicTime now) {
  if (running_) {
    read_output();
    if (now >= running_->ends_at && !running_->was_killed) {
      running_->was_killed = true;
      end_process_group();
    }
    siginfo_t ended{};
    if (::waitid(P_PID, static_cast<id_t>(running_->pid), &ended, WEXITED | WNOHANG | WNOWAIT) ==
            0 &&
        ended.si_pid == 0)
      return;
    finish();
  }
  if (running_ || waiting_.empty()) return;
  const Run next = std::move(waiting_.front());
  waiting_.pop_front();
  start(next, now);
}

std::optional<MonotonicTime> Hooks::next_deadline() const {
  if (running_ && !running_->was_killed) return running_->ends_at;
  if (!running_ && !waiting_.empty()) return MonotonicTime{};
  return std::nullopt;
}

}  // namespace hanet::daemon
