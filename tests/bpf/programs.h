// SPDX-License-Identifier: Apache-2.0
//
// The engine's programs in this kernel, one packet at a time (BPF_PROG_TEST_RUN).
//
// Nothing is attached: the programs run on frames that a test makes, in the name of the loopback
// interface (ifindex 1, there in every network namespace), and a redirect is only its return code.
// So the tests touch no interface. Ports and sessions are configured by hand in the mapped arrays,
// as hanetd does it.
//
// What the kernel gives back belongs to the test: the verdict, the frame afterwards, the maps.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/maps.h"
#include "engine/ticker.h"
#include "hanet/abi.h"
#include "net/frames.h"

struct bpf_program;
struct hanet_bpf;
struct ring_buffer;

namespace hanet::bpf_test {

/// Not even a program that does nothing may be loaded by this user. The verifier's no to one of
/// ours has the same error numbers, and is a failure.
[[nodiscard]] bool bpf_is_refused();

/// Verdicts as the program returned them.
inline constexpr std::uint32_t kXdpDrop = 1;
inline constexpr std::uint32_t kXdpPass = 2;
inline constexpr std::uint32_t kTcPass = UINT32_MAX;  // TC_ACT_UNSPEC
inline constexpr std::uint32_t kTcSent = 0;      // TC_ACT_OK: hanet's own, nobody behind sees it
inline constexpr std::uint32_t kTcDrop = 2;      // TC_ACT_SHOT
inline constexpr std::uint32_t kTcRedirect = 7;  // TC_ACT_REDIRECT

inline constexpr std::uint32_t kLoopback = 1;

struct Outcome {
  std::uint32_t verdict = 0;
  net::Frame frame;                 ///< the bytes afterwards
  std::uint32_t mark = 0;           ///< TC only
  std::chrono::nanoseconds each{};  ///< per packet, measured by the kernel
};

/// More than the machine has, so that one of them can stand still in a test.
inline constexpr std::uint32_t kWatchedCpus = 1000;

/// struct hanet_receiver of maps.bpf.h.
struct Receiver {
  std::array<std::uint64_t, 2> timer;  // opaque; the kernel leaves it alone on an update
  std::uint64_t due_ns;
  std::uint32_t seen;
  std::uint32_t idle_periods;
  std::uint64_t fires_ns;
};

class Programs {
 public:
  /// The error says why this kernel refuses. Where it refuses only bpf_timer, or
  /// HANET_TEST_NO_BPF_TIMER is set, a ticker comes by, as in hanetd.
  [[nodiscard]] static Result<std::unique_ptr<Programs>> load(bool link_poll = false,
                                                              bool silence = false);
  ~Programs();
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;

  [[nodiscard]] Outcome xdp(const net::Frame& frame, int repeat = 1);
  [[nodiscard]] Outcome tc_ingress(const net::Frame& frame, std::uint32_t mark = 0, int repeat = 1);
  [[nodiscard]] Outcome tc_egress(const net::Frame& frame, std::uint32_t mark = 0, int repeat = 1);
  /// A frame of the device whose other end loopback_is_device() made of the loopback interface.
  [[nodiscard]] Outcome tc_device(const net::Frame& frame);
  void loopback_is_device(std::uint32_t group);
  /// The token, or another frame, comes round.
  [[nodiscard]] Outcome tc_pacer(const net::Frame& frame);
  /// tc_control with any bytes behind the Ethernet header; returns its verdict.
  [[nodiscard]] std::uint32_t control(std::uint32_t operation, std::uint32_t index);
  [[nodiscard]] std::uint32_t control_with(const net::Frame& bytes);
  [[nodiscard]] Outcome run_control(const net::Frame& bytes, int repeat);

  /// The loopback interface stands for this port from now on.
  void loopback_is(std::uint32_t port);
  void loopback_is_no_port();

  /// receivers[cpu], as the kernel side keeps it.
  [[nodiscard]] Receiver receiver(std::uint32_t cpu);
  /// Makes a CPU look as if it should have shown at `due_ns` that it runs; 0: it owes nothing.
  void receiver_owes(std::uint32_t cpu, std::uint64_t due_ns);

  /// As they were when they were loaded, but for timers that are still armed.
  void clear();

  /// The waiting records of the ring.
  [[nodiscard]] std::vector<hanet_event> events();

  [[nodiscard]] bool has_bpf_timer() const { return !ticker_; }
  [[nodiscard]] hanet_bpf* skeleton() { return skeleton_.get(); }

  engine::MappedArray<hanet_params> params;
  engine::MappedArray<hanet_session> sessions;
  engine::MappedArray<hanet_port> ports;
  engine::MappedArray<hanet_steer> steer;
  engine::MappedArray<hanet_trunk> trunks;
  engine::MappedArray<hanet_device> devices;
  engine::MappedArray<hanet_engine> accounts;
  engine::MappedArray<hanet_paced> paced;
  engine::MappedArray<hanet_pacer> pacer;
  engine::MappedArray<hanet_flight> flights;
  engine::MappedArray<hanet_lateness> lateness;

 private:
  Programs() = default;
  [[nodiscard]] Outcome tc(const bpf_program* program, const net::Frame& frame, std::uint32_t mark,
                           int repeat);
  /// Returns 0 or -errno.
  [[nodiscard]] int load_object(bool bpf_timer, bool link_poll, bool silence);
  [[nodiscard]] Status map_memory();
  void end_sessions();

  struct Destroy {
    void operator()(hanet_bpf* skeleton) const;
    void operator()(ring_buffer* ring) const;
  };
  std::unique_ptr<hanet_bpf, Destroy> skeleton_;
  std::unique_ptr<ring_buffer, Destroy> ring_;
  std::vector<hanet_event> received_;
  std::unique_ptr<engine::Ticker> ticker_;
};

/// Waits until `condition` holds; false when it did not within ten seconds.
[[nodiscard]] bool await(const std::function<bool()>& condition);

}  // namespace hanet::bpf_test
