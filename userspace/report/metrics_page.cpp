// SPDX-License-Identifier: Apache-2.0
//
// See metrics_page.h. Who reads a word of the change that is under way (acquire) sees the odd
// number that was stored before it (release), so the second look at the number refuses the copy.
// Without fences, which ThreadSanitizer does not know.
#include "report/metrics_page.h"

#include <atomic>
#include <cstring>

namespace hanet::report {
namespace {

// hanetd writes for some microseconds. In the middle of it another program may have its CPU for a
// while, and then spinning would only make that longer.
constexpr int kAttempts = 4000;
constexpr Nanoseconds kPause = std::chrono::microseconds(50);

std::atomic_ref<std::uint64_t> word(const std::uint64_t& of) {
  return std::atomic_ref(const_cast<std::uint64_t&>(of));
}

// Word by word and in place: threads of others have small stacks.
const unsigned char* bytes_of(const Metrics& metrics) {
  return reinterpret_cast<const unsigned char*>(&metrics);
}
unsigned char* bytes_of(Metrics& metrics) { return reinterpret_cast<unsigned char*>(&metrics); }

}  // namespace

void begin(MetricsPage& page) {
  page.layout = kMetricsLayout;
  page.bytes = sizeof(MetricsPage);
}

void publish(MetricsPage& page, const Metrics& metrics) {
  const std::uint64_t sequence = page.sequence;
  word(page.sequence).store(sequence + 1, std::memory_order_relaxed);
  for (std::size_t at = 0; at < kMetricsWords; ++at) {
    std::uint64_t next = 0;
    std::memcpy(&next, bytes_of(metrics) + at * sizeof next, sizeof next);
    if (page.words[at] != next) word(page.words[at]).store(next, std::memory_order_release);
  }
  word(page.sequence).store(sequence + 2, std::memory_order_release);
}

bool copy(const MetricsPage& page, Metrics& metrics) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) sleep_until(monotonic_now() + kPause);
    const std::uint64_t before = word(page.sequence).load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    for (std::size_t at = 0; at < kMetricsWords; ++at) {
      const std::uint64_t one = word(page.words[at]).load(std::memory_order_acquire);
      std::memcpy(bytes_of(metrics) + at * sizeof one, &one, sizeof one);
    }
    if (word(page.sequence).load(std::memory_order_relaxed) == before) return true;
  }
  return false;
}

}  // namespace hanet::report
