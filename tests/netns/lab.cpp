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

// A flap of real cards takes 25 s where a PREEMPT_RT kernel is emulated on a busy host.
constexpr auto kCommandLimit = 45s;

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

std::string_view word_of(Topology topology) {
  switch (topology) {
    case Topology::Switch:
      return "switch";
    case Topology::Crossover:
      return "crossover";
    case Topology::TwoSwitches:
      return "two-switches";
    case Topology::Firewall:
      return "firewall";
    case Topology::Trunk:
    case Topology::StaticTrunk:
      return "trunk";
  }
  return "?";
}

Lab::Lab(Topology topology) : topology_(topology), id_(fmt::format("t{}", ::getpid() % 10000000)) {}

Lab::~Lab() {
  // `lab down` is what the holder does when it ends; whatever it could not do is done here. Where
  // it was ended because it took too long, what it had started may still be at it.
  if (holder_) holder_->stop();
  Status down = run_quietly(command({"down"}));
  if (!down) down = run_quietly(command({"down"}));
  if (!down) fmt::print(stderr, "lab {} may not be down: {}\n", id_, down.error().message);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Result<std::unique_ptr<Lab>> Lab::up(Topology topology) {
  std::unique_ptr<Lab> lab(new Lab(topology));
  std::string directory = "/tmp/hanet-test-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return errno_error(errno, "make a directory in /tmp");
  lab->directory_ = directory;
  const std::filesystem::path log = lab->directory_ / "lab.log";
  Arguments arguments{"up", std::string(word_of(topology)), "--hold", "--trunk-mode",
                      topology == Topology::StaticTrunk ? "static" : "independent"};
  if (const char* cards = std::getenv("HANET_TEST_CARDS"); cards && topology == Topology::Switch)
    arguments.insert(arguments.end(), {"--cards", cards});
  Result<bench::Child> holder = bench::Child::start(lab->command(arguments), log);
  if (!holder) return pass_on(holder);
  lab->holder_ = std::make_unique<bench::Child>(std::move(*holder));
  const bool settled = static_cast<bool>(await(
      "the lab is up", [&] { return !lab->holder_->running() || text_of(log).contains("is up"); },
      kCommandLimit));
  if (settled && lab->holder_->running()) return lab;
  return failure(fmt::format("the lab did not come up: {}", text_of(log)));
}

Arguments Lab::hanet_nodes() const {
  switch (topology_) {
    case Topology::Switch:
    case Topology::Trunk:
    case Topology::StaticTrunk:
      return {"host"};
    case Topology::Crossover:
    case Topology::TwoSwitches:
      return {"a", "b"};
    case Topology::Firewall:
      return {"fw"};
  }
  return {};
}

std::vector<Conversation> Lab::conversations() const {
  switch (topology_) {
    case Topology::Switch:
      return {{"host", "192.0.2.1", "client", "192.0.2.10"},
              {"host", "2001:db8::1", "client", "2001:db8::10"},
              {"host", "192.0.2.101", "client", "192.0.2.10"}};
    case Topology::Trunk:
    case Topology::StaticTrunk:
      return {{"host", "192.0.2.1", "client", "192.0.2.10"},
              {"host", "2001:db8::1", "client", "2001:db8::10"},
              {"host", "192.0.2.101", "client", "192.0.2.10"},
              {"host", "198.51.100.1", "far", "198.51.100.10"},
              {"host", "2001:db8:100::1", "far", "2001:db8:100::10"},
              {"client", "192.0.2.10", "far", "198.51.100.10"}};
    case Topology::Crossover:
      return {{"a", "192.0.2.1", "b", "192.0.2.2"}, {"a", "2001:db8::1", "b", "2001:db8::2"}};
    case Topology::TwoSwitches:
      return {
          {"a", "192.0.2.1", "b", "192.0.2.2"},       {"a", "2001:db8::1", "b", "2001:db8::2"},
          {"a", "192.0.2.101", "b", "192.0.2.201"},   {"b", "192.0.2.203", "a", "192.0.2.103"},
          {"a", "2001:db8::102", "b", "2001:db8::2"}, {"b", "2001:db8::202", "a", "2001:db8::1"}};
    case Topology::Firewall:
      return {{"fw", "192.0.2.1", "in", "192.0.2.10"},
              {"fw", "2001:db8::1", "in", "2001:db8::10"},
              {"in", "192.0.2.10", "out", "198.51.100.10"},
              {"in", "2001:db8::10", "out", "2001:db8:100::10"},
              {"out", "198.51.100.10", "in", "192.0.2.10"}};
  }
  return {};
}

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

Status Lab::link(const std::string& state, const std::string& port) const {
  return run_quietly(command({"link", state, port}));
}

Status Lab::ip(const std::string& node, const std::string& command) const {
  Arguments words{"ip", "-n", netns(node)};
  std::istringstream text(command);
  words.insert(words.end(), std::istream_iterator<std::string>(text), {});
  return run_quietly(words);
}

Arguments Lab::in(const std::string& node, const Arguments& what) const {
  Arguments arguments{"nsenter", "--net=/run/netns/" + netns(node)};
  arguments.insert(arguments.end(), what.begin(), what.end());
  return arguments;
}

Result<std::string> Lab::config(const std::string& node, const Settings& settings) const {
  Arguments arguments{"config",        node,
                      "--heartbeat",   settings.heartbeat,
                      "--family",      std::to_string(settings.family),
                      "--interval-us", std::to_string(interval_us(settings)),
                      "--multiplier",  std::to_string(settings.multiplier),
                      "--bridging",    settings.bridging ? "true" : "false",
                      "--threshold",   std::to_string(settings.threshold)};
  if (!settings.mode.empty()) arguments.insert(arguments.end(), {"--mode", settings.mode});
  Result<std::string> text = bench::run_checked(command(arguments), kCommandLimit);
  if (!text) return text;
  const std::string group = "[[group]]\n";
  text->insert(text->find(group) + group.size(), settings.group_keys);
  return text;
}

}  // namespace hanet::test
