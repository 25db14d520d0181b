// SPDX-License-Identifier: Apache-2.0
//
// See hanet.h.
#include "netns/hanet.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace hanet::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kAnswerLimit = 20s;

// In place of two capabilities the unit raises two limits, and whoever is started has them, too.
// Where that is not allowed, as in some containers, it is the capabilities.
Arguments in_place_of_the_limits() {
  const rlimit priority{.rlim_cur = 50, .rlim_max = 50};
  const rlimit memory{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  const bool raised =
      ::setrlimit(RLIMIT_RTPRIO, &priority) == 0 && ::setrlimit(RLIMIT_MEMLOCK, &memory) == 0;
  return raised ? Arguments() : Arguments{"cap_sys_nice", "cap_ipc_lock"};
}

// As a service hanetd has a few of root's rights. One that it needs and has not is found by every
// test that way, not by the first user.
Arguments with_the_rights_of_the_unit(const Arguments& command) {
  static const Arguments besides = in_place_of_the_limits();
  Arguments all{HANET_AS_THE_UNIT, HANET_INSTALL_FILES "/hanetd.service.in",
                std::filesystem::temp_directory_path().string(), "/run"};
  all.insert(all.end(), besides.begin(), besides.end());
  // Those of another build may have sanitizers, which look at their own process.
  if (std::getenv("HANET_TEST_PROGRAMS") != nullptr)
    all.insert(all.end(), {"@debug", "personality"});
  all.emplace_back("--");
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

}  // namespace

std::string program(const std::string& name) {
  const char* const elsewhere = std::getenv("HANET_TEST_PROGRAMS");
  return fmt::format("{}/{}", elsewhere != nullptr ? elsewhere : HANET_PROGRAMS, name);
}

Hanet::Hanet(const Lab& lab, std::string node, const std::string& config, Arguments options)
    : lab_(lab),
      node_(std::move(node)),
      options_(std::move(options)),
      directory_(lab.directory() / node_),
      pins_(lab.pin_directory(node_)) {
  std::filesystem::create_directories(directory_);
  std::ofstream(directory_ / "hanet.toml") << config;
}

Hanet::~Hanet() {
  if (running()) thaw();  // a stopped process would not end
}

void Hanet::start() {
  Arguments command{program("hanetd"), "--config",          (directory_ / "hanet.toml").string(),
                    "--run-dir",       directory_.string(), "--pin-dir",
                    pins_.string()};
  command.insert(command.end(), options_.begin(), options_.end());
  Result<bench::Child> child =
      bench::Child::start(lab_.in(node_, with_the_rights_of_the_unit(command)), directory_ / "log");
  if (!child) throw std::runtime_error(child.error().message);
  child_ = std::make_unique<bench::Child>(std::move(*child));
}

int Hanet::stop() { return child_ ? child_->stop() : -1; }

void Hanet::kill() {
  if (!running()) return;
  ::kill(pid(), SIGKILL);
  child_->stop();
}

bool Hanet::frozen() const {
  std::ifstream file(fmt::format("/proc/{}/stat", pid()));
  std::string stat;
  std::getline(file, stat);
  const std::size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.substr(name_end + 2, 1) == "T";
}

std::string Hanet::log() const {
  std::ifstream file(directory_ / "log");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::chrono::nanoseconds Hanet::ran() const {
  std::ifstream file(fmt::format("/proc/{0}/task/{0}/schedstat", pid()));
  long long nanoseconds = 0;
  file >> nanoseconds;
  return std::chrono::nanoseconds(nanoseconds);
}

bench::Output Hanet::ctl(const Arguments& arguments) const {
  Arguments command{program("hanetctl"), "--run-dir", directory_.string(), "--pin-dir",
                    pins_.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Result<bench::Output> output = bench::run(lab_.in(node_, command), kAnswerLimit);
  if (!output) throw std::runtime_error(output.error().message);
  return std::move(*output);
}

bench::Child Hanet::ctl_in_background(const Arguments& arguments,
                                      const std::filesystem::path& file) const {
  Arguments command{program("hanetctl"), "--run-dir", directory_.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Result<bench::Child> child = bench::Child::start(command, file);
  if (!child) throw std::runtime_error(child.error().message);
  return std::move(*child);
}

json Hanet::ask(const Arguments& arguments) const {
  Arguments command{program("hanetctl"), "--run-dir", directory_.string(), "--json"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Result<bench::Output> output = bench::run(command, kAnswerLimit);
  const bool answered = output && (output->exit_code == 0 || output->exit_code == kNotProtected);
  if (!answered) return nullptr;
  return json::parse(output->out, nullptr, false);
}

bool Hanet::is_on(const std::string& port) const {
  const json status = ask({"status"});
  return status.is_object() && status.at("groups").at(0).at("active") == port;
}

json Hanet::on_socket(const std::string& socket, const std::string& request) const {
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (directory_ / socket).string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  const std::string line = request + "\n";
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0)
    return nullptr;
  std::string answer;
  std::array<char, 65536> part;
  while (!answer.ends_with('\n')) {
    const ssize_t got = ::recv(fd.get(), part.data(), part.size(), 0);
    if (got <= 0) return nullptr;
    answer.append(part.data(), static_cast<std::size_t>(got));
  }
  return json::parse(answer);
}

json Hanet::path(const std::string& port) const {
  const json status = group();
  for (const json& path : status.at("paths"))
    if (path.at("name") == port) return path;
  throw std::runtime_error("there is no path " + port);
}

bool Hanet::ready() const {
  const json status = ask({"status"});
  if (!status.is_object()) return false;
  const json& group = status.at("groups").at(0);
  return std::ranges::all_of(group.at("paths"), [&](const json& path) {
    const bool needed = path.at("mode") == "hot" || path.at("role") == "active";
    return !needed || path.at("health") == "up";
  });
}

}  // namespace hanet::test
