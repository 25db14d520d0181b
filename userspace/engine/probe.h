// SPDX-License-Identifier: Apache-2.0
//
// What this kernel offers, asked of the kernel itself: a version number says nothing of what a
// distribution has left out or brought back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

struct btf;

namespace hanet::engine {

/// What the kernel says of its own functions. To read it takes 40 ms and twice its 5 MiB, so it is
/// read once for all that is asked, and then let go.
class KernelTypes {
 public:
  KernelTypes();

  /// The kfuncs with which a timer reads a device's carrier (Linux 6.2; bpf/port.bpf.h).
  [[nodiscard]] bool have_link_poll() const;
  /// Whether tracing programs can watch devices gain and lose their carrier: 0, or the negative
  /// errno of the kernel's refusal. It costs a millisecond; to load all of hanet's programs in
  /// vain, 160.
  [[nodiscard]] int refuse_fentry() const;

 private:
  struct Free {
    void operator()(btf* types) const;
  };
  /// The number of a function; negative: there is none.
  [[nodiscard]] int function(const char* name) const;

  std::unique_ptr<btf, Free> types_;  // null: the kernel says nothing
};

/// Whether TC programs attach by tcx (Linux 6.6; attach.h). Attaches nothing; `tc_program` is one.
[[nodiscard]] bool kernel_has_tcx(int tc_program);

/// How many CPUs are watched for standing still, 1 .. HANET_MAX_CPUS: those beyond that are not,
/// and their stalls are like any other delay.
[[nodiscard]] std::uint32_t watched_cpus();

/// Are the values of a map of that size? Those of another version of hanet may not be.
[[nodiscard]] bool has_values_of(int map_fd, std::size_t bytes);

}  // namespace hanet::engine
