// SPDX-License-Identifier: Apache-2.0
//
// fault_schedules: random faults, repairs and switches, and what must hold whatever happens.
//
//   fault_schedules --count 60              seeds 1 to 60 (what ctest runs)
//   fault_schedules --count 1000 --jobs 2   the full run
//   fault_schedules --seed 4711             one schedule again, told step by step
//
// Tests that somebody wrote show what somebody thought of. A schedule is what nobody thought of: a
// repair in the middle of a switchover, a daemon that dies while its peer moves. A failure prints
// the seed, the steps and what the daemons say; the steps of a seed are always the same, their
// timing is the machine's. A lab is built for each class of schedules and used for all of them;
// each job works on a class in a process of its own, because a lab is named for its process.
//
// Exit codes: 0 everything held, 1 something did not, 2 wrong usage, 77 not root (skipped).
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include "core/clock.h"
#include "netns/schedule.h"

namespace hanet::test {
namespace {

constexpr int kSkipped = 77;
constexpr std::uint64_t kSchedulesPerJob = 60;

struct Options {
  std::uint64_t first = 1;
  std::uint64_t count = 60;
  std::optional<std::uint64_t> seed;
  unsigned jobs = 1;
  std::vector<std::uint64_t> seeds;  ///< a job's own: schedules of one class
};

struct Tally {
  std::size_t played = 0;
  std::size_t steps = 0;
  std::size_t failed = 0;
};

void report(std::uint64_t seed, const Schedule& schedule, const std::string& wrong, World& world) {
  fmt::print("FAILED: seed {} ({}): {}\n", seed, schedule_classes()[class_of(seed)].name, wrong);
  for (const std::string& step : schedule.steps()) fmt::print("  {}\n", step);
  fmt::print("{}", world.account());
}

// After a failure the world is not what the next schedule expects: it gets a new one.
Tally play_in_one_lab(const std::vector<std::uint64_t>& seeds, bool aloud) {
  const ScheduleClass& kind = schedule_classes()[class_of(seeds.front())];
  std::unique_ptr<World> world;
  Tally tally;
  for (const std::uint64_t seed : seeds) {
    if (!world) world = std::make_unique<World>(kind.topology, kind.settings);
    Schedule schedule(seed, *world);
    std::string wrong;
    try {
      wrong = schedule.play();
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    ++tally.played;
    tally.steps += schedule.steps().size();
    if (aloud)
      for (const std::string& step : schedule.steps()) fmt::print("  {}\n", step);
    if (wrong.empty()) continue;
    ++tally.failed;
    report(seed, schedule, wrong, *world);
    world.reset();
  }
  return tally;
}

/// Seeds of one class each, no more than kSchedulesPerJob.
std::deque<std::vector<std::uint64_t>> shares_of(const Options& options) {
  std::vector<std::vector<std::uint64_t>> open(schedule_classes().size());
  std::deque<std::vector<std::uint64_t>> shares;
  for (std::uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    std::vector<std::uint64_t>& share = open[class_of(seed)];
    share.push_back(seed);
    if (share.size() == kSchedulesPerJob) shares.push_back(std::exchange(share, {}));
  }
  for (std::vector<std::uint64_t>& share : open)
    if (!share.empty()) shares.push_back(std::move(share));
  return shares;
}

struct Job {
  bench::Child process;
  std::filesystem::path log;
};

Job start_job(const std::vector<std::uint64_t>& seeds) {
  Arguments arguments{"/proc/self/exe", "--job"};
  for (const std::uint64_t seed : seeds) arguments.push_back(std::to_string(seed));
  const std::filesystem::path log =
      fmt::format("/tmp/fault_schedules-{}-{}.log", ::getpid(), seeds.front());
  Result<bench::Child> child = bench::Child::start(arguments, log);
  if (!child) throw std::runtime_error(child.error().message);
  return {.process = std::move(*child), .log = log};
}

// The last line of a job's log is its tally; what stands before it is for people.
Tally finish_job(Job& job) {
  std::ifstream file(job.log);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::filesystem::remove(job.log);
  Tally tally;
  const std::size_t last = text.rfind("tally ");
  fmt::print("{}", text.substr(0, last));
  if (last == std::string::npos || std::sscanf(text.c_str() + last, "tally %zu %zu %zu",
                                               &tally.played, &tally.steps, &tally.failed) != 3) {
    fmt::print("FAILED: a job ended with {} and no result\n", job.process.exit_code().value_or(-1));
    tally.failed = 1;
  }
  return tally;
}

Tally play_all(const Options& options) {
  std::deque<std::vector<std::uint64_t>> waiting = shares_of(options);
  std::vector<Job> running;
  Tally total;
  while (!waiting.empty() || !running.empty()) {
    while (!waiting.empty() && running.size() < options.jobs) {
      running.push_back(start_job(waiting.front()));
      waiting.pop_front();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    for (auto job = running.begin(); job != running.end();) {
      if (job->process.running()) {
        ++job;
        continue;
      }
      const Tally tally = finish_job(*job);
      total.played += tally.played;
      total.steps += tally.steps;
      total.failed += tally.failed;
      job = running.erase(job);
    }
  }
  return total;
}

int conclude(const Tally& tally, Nanoseconds took) {
  fmt::print("{} schedules, {} steps, {} failed, {:.1f} s\n", tally.played, tally.steps,
             tally.failed, std::chrono::duration<double>(took).count());
  return tally.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace hanet::test

int main(int argc, char** argv) {
  using namespace hanet::test;
  Options options;
  CLI::App app("Plays random fault schedules and checks what must hold.");
  app.add_option("--first", options.first, "the first seed")->capture_default_str();
  app.add_option("--count", options.count, "how many seeds")->capture_default_str();
  app.add_option("--seed", options.seed, "play this one only, aloud");
  app.add_option("--jobs", options.jobs, "labs at the same time")
      ->check(CLI::Range(1U, 16U))
      ->capture_default_str();
  app.add_option("--job", options.seeds, "used by this program itself")->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (::geteuid() != 0) {
    fmt::print("skipped: needs root for network namespaces and eBPF\n");
    return kSkipped;
  }
  try {
    const hanet::MonotonicTime start = hanet::monotonic_now();
    if (!options.seeds.empty()) {
      const Tally tally = play_in_one_lab(options.seeds, false);
      fmt::print("tally {} {} {}\n", tally.played, tally.steps, tally.failed);
      return 0;
    }
    const Tally tally = options.seed ? play_in_one_lab({*options.seed}, true) : play_all(options);
    return conclude(tally, hanet::monotonic_now() - start);
  } catch (const std::exception& error) {
    fmt::print(stderr, "fault_schedules: {}\n", error.what());
    return 1;
  }
}
