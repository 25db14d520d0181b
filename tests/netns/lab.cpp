// SPDX-License-Identifier: Apache-2.0
//
// See lab.h.
#include "netns/lab.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

#include "netns/await.h"

namespace hanet::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kCommandLimit = 20s;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

Status run_quietly(const Arguments& arguments) {
  Result<std::string> done = bench::run_checked(arguments, kCommandLimit);
  if (!done) return pass_on(done);
  return {};
}

unsigned interval_us(const Settings& settings) {
  if (settings.interval_us != 0) return settings.interval_us;
  const char* given = std::getenv("HANET_TEST_INTERVAL_US");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 1000;
}

}  // namespace

Lab::Lab(Topology topology) : topology_(topology), id_(fmt::format("t{}", ::getpid() % 10000000)) {}

Lab::~Lab() {
  // `lab down` is what the holder does when it ends; whatever it could not do is done here.
  if (holder_) holder_->stop();
  if (!run_quietly(command({"down"}))) fmt::print(stderr, "lab {} may not be down\n", id_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Result<std::unique_ptr<Lab>> Lab::up(Topology topology) {
  std::unique_ptr<Lab> lab(new Lab(topology));
  std::string directory = "/tmp/hanet-test-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return errno_error(errno, "make a directory in /tmp");
  lab->directory_ = directory;
  const std::filesystem::path log = lab->directory_ / "lab.log";
  const bool crossover = topology == Topology::Crossover;
  Result<bench::Child> holder =
      bench::Child::start(lab->command({"up", crossover ? "crossover" : "switch", "--hold"}), log);
  if (!holder) return pass_on(holder);
  lab->holder_ = std::make_unique<bench::Child>(std::move(*holder));
  const bool settled = static_cast<bool>(await(
      "the lab is up", [&] { return !lab->holder_->running() || text_of(log).contains("is up"); }));
  if (settled && lab->holder_->running()) return lab;
  return failure(fmt::format("the lab did not come up: {}", text_of(log)));
}

Arguments Lab::hanet_nodes() const {
  return topology_ == Topology::Switch ? Arguments{"host"} : Arguments{"a", "b"};
}

std::string Lab::client() const { return topology_ == Topology::Switch ? "client" : "b"; }

std::string Lab::netns(const std::string& node) const { return fmt::format("hl-{}-{}", id_, node); }

std::filesystem::path Lab::pin_directory(const std::string& node) const {
  return fmt::format("/sys/fs/bpf/hanet-{}-{}", id_, node);
}

Arguments Lab::command(const Arguments& arguments) const {
  Arguments whole{HANET_LAB, "--id", id_};
  whole.insert(whole.end(), arguments.begin(), arguments.end());
  return whole;
}

Status Lab::fault(const std::string& kind, const std::string& path, const Arguments& more) const {
  Arguments arguments{"fault", kind, path};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_quietly(command(arguments));
}

Status Lab::heal(const std::string& path) const { return run_quietly(command({"heal", path})); }

Status Lab::ip(const std::string& node, const std::string& command) const {
  Arguments words{"ip", "-n", netns(node)};
  std::istringstream text(command);
  words.insert(words.end(), std::istream_iterator<std::string>(text), {});
  return run_quietly(words);
}

Arguments Lab::in(const std::string& node, const Arguments& what) const {
  Arguments arguments{"run", node, "--"};
  arguments.insert(arguments.end(), what.begin(), what.end());
  return command(arguments);
}

Result<std::string> Lab::config(const std::string& node, const Settings& settings) const {
  Result<std::string> text =
      bench::run_checked(command({"config", node, "--mode", settings.mode, "--heartbeat",
                                  settings.heartbeat, "--family", std::to_string(settings.family),
                                  "--interval-us", std::to_string(interval_us(settings)),
                                  "--multiplier", std::to_string(settings.multiplier), "--bridging",
                                  settings.bridging ? "true" : "false"}),
                         kCommandLimit);
  if (!text) return text;
  const std::string group = "[[group]]\n";
  text->insert(text->find(group) + group.size(), settings.group_keys);
  return text;
}

}  // namespace hanet::test
