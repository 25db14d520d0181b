// SPDX-License-Identifier: Apache-2.0
//
// See outage_meter.h. The sender writes send times and the receiver writes arrivals, each into
// arrays of its own that are read only after both threads were joined: the two share a stop flag
// and nothing else.
//
// The sender runs with the lowest real-time priority where that is allowed: above the shells and
// build jobs of a busy machine, below every real-time thread of the daemon under test. Where the
// processors are held (starvation.h) both threads have to be above who holds them.
#include "bench/outage_meter.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.h"

namespace hanet::bench {

using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kWarmUp = 0xffffffff;  // a sequence number that is never counted
constexpr std::size_t kBatch = 64;             // packets per recvmmsg
constexpr auto kDrainEvery = 1ms;
constexpr auto kResumeAfter = 2ms;    // later than this, the schedule restarts from now
constexpr auto kUnderWay = 30ms;      // how long a sent packet may still arrive after the end
constexpr std::size_t kPayload = 64;  // bytes; small, because the count matters and not the volume

struct Packet {
  std::uint32_t run = 0;  // tells this run's packets from those of an earlier one
  std::uint32_t sequence = 0;
  std::array<std::uint8_t, kPayload - 8> padding{};
};
static_assert(sizeof(Packet) == kPayload);

std::int64_t clock_ns(clockid_t clock) {
  timespec ts{};
  ::clock_gettime(clock, &ts);
  return ts.tv_sec * 1'000'000'000 + ts.tv_nsec;
}

void sleep_until(std::int64_t monotonic_ns) {
  const timespec ts{.tv_sec = monotonic_ns / 1'000'000'000,
                    .tv_nsec = monotonic_ns % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, nullptr) == EINTR) {
  }
}

nanoseconds thread_cpu() { return nanoseconds(clock_ns(CLOCK_THREAD_CPUTIME_ID)); }

void prefer_this_thread(int priority) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  const sched_param wanted{.sched_priority = priority};
  // Refused without CAP_SYS_NICE: then stalls are longer, and reported as what they are.
  (void)::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &wanted);
}

/// Buffers of recvmmsg, laid out once.
class ReceiveBatch {
 public:
  ReceiveBatch() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      pieces_[i] = {.iov_base = &packets_[i], .iov_len = sizeof(Packet)};
      headers_[i].msg_hdr.msg_iov = &pieces_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  ReceiveBatch(const ReceiveBatch&) = delete;
  ReceiveBatch& operator=(const ReceiveBatch&) = delete;

  /// Reads what waits, at most kBatch packets; returns how many.
  std::size_t receive(const Fd& fd) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      headers_[i].msg_hdr.msg_control = controls_[i].data();
      headers_[i].msg_hdr.msg_controllen = controls_[i].size();
    }
    const int count = ::recvmmsg(fd.get(), headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  [[nodiscard]] bool is_whole(std::size_t i) const { return headers_[i].msg_len == kPayload; }
  [[nodiscard]] const Packet& packet(std::size_t i) const { return packets_[i]; }
  /// The kernel's stamp of packet i, nanoseconds of CLOCK_REALTIME; 0 if there is none.
  [[nodiscard]] std::int64_t stamp_ns(std::size_t i) {
    msghdr& header = headers_[i].msg_hdr;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
      timespec ts{};
      std::memcpy(&ts, CMSG_DATA(c), sizeof ts);
      return ts.tv_sec * 1'000'000'000 + ts.tv_nsec;
    }
    return 0;
  }

 private:
  struct alignas(cmsghdr) Control : std::array<char, CMSG_SPACE(sizeof(timespec))> {};
  std::array<Packet, kBatch> packets_{};
  std::array<iovec, kBatch> pieces_{};
  std::array<Control, kBatch> controls_{};
  std::array<mmsghdr, kBatch> headers_{};
};

/// One direction: who sends to whom, and what was recorded. The first four members are the
/// sender's, the rest the receiver's.
struct Direction {
  std::span<const UdpSocket> from;  // one for each flow
  std::span<const UdpSocket> to;
  std::vector<std::int64_t> send_ns;
  std::uint64_t send_errors = 0;
  std::vector<Arrival> arrivals;
  std::size_t arrived = 0;
  bool warm = false;

  void reserve(std::size_t packets) {
    send_ns.assign(packets, 0);
    arrivals.assign(packets + packets / 4 + kBatch, Arrival{});  // a quarter for duplicates
  }
  bool send(const Packet& packet, std::size_t flow) const {
    const auto* address = reinterpret_cast<const sockaddr*>(&to[flow].address);
    return ::sendto(from[flow].fd.get(), &packet, sizeof packet, MSG_DONTWAIT, address,
                    to[flow].address_length) == static_cast<ssize_t>(sizeof packet);
  }
  void drain(ReceiveBatch& batch, std::uint32_t run) {
    for (const UdpSocket& socket : to) drain(socket, batch, run);
  }
  void drain(const UdpSocket& socket, ReceiveBatch& batch, std::uint32_t run) {
    std::size_t count = kBatch;
    while (count == kBatch) {
      count = batch.receive(socket.fd);
      for (std::size_t i = 0; i < count; ++i) {
        const Packet& packet = batch.packet(i);
        if (!batch.is_whole(i) || packet.run != run) continue;
        if (packet.sequence == kWarmUp) {
          warm = true;
        } else if (arrived < arrivals.size()) {
          arrivals[arrived++] = {.sequence = packet.sequence, .time_ns = batch.stamp_ns(i)};
        }
      }
    }
  }
};

}  // namespace

struct OutageMeter::State {
  MeterOptions options;
  std::vector<UdpSocket> a;  // one for each flow
  std::vector<UdpSocket> b;
  std::array<Direction, 2> directions;
  ReceiveBatch batch;
  std::uint32_t run = 0;
  std::size_t capacity = 0;    // packets per direction
  std::size_t sent = 0;        // the sender's, per direction
  nanoseconds sender_stall{};  // the sender's
  nanoseconds sender_cpu{};    // the sender's
  nanoseconds receiver_cpu{};  // the receiver's
  std::atomic<bool> stop_sending = false;
  std::atomic<bool> stop_receiving = false;
  std::atomic<bool> sender_done = false;
  std::thread sender;
  std::thread receiver;

  [[nodiscard]] Status open_sockets();
  void send_all();
  void receive_all();
  bool warm_up();
  void join();
};

Status OutageMeter::State::open_sockets() {
  for (std::uint32_t flow = 0; flow < options.flows; ++flow)
    for (const auto& [end, sockets] : {std::pair{&options.a, &a}, std::pair{&options.b, &b}}) {
      Endpoint at = *end;
      at.port = static_cast<std::uint16_t>(at.port + flow);
      Result<UdpSocket> socket = open_udp_socket(at);
      if (!socket) return pass_on(socket);
      sockets->push_back(std::move(*socket));
    }
  if (a.front().address.ss_family != b.front().address.ss_family)
    return failure("both addresses must be of one family");
  return {};
}

void OutageMeter::State::send_all() {
  prefer_this_thread(options.priority);
  const std::int64_t interval = 1'000'000'000 / options.packets_per_second;
  Packet packet{.run = run};
  std::int64_t due = clock_ns(CLOCK_MONOTONIC) + interval;
  while (sent < capacity && !stop_sending.load(std::memory_order_relaxed)) {
    sleep_until(due);
    const std::int64_t late = clock_ns(CLOCK_MONOTONIC) - due;
    sender_stall = std::max(sender_stall, nanoseconds(late));
    if (nanoseconds(late) > kResumeAfter) due += late;
    packet.sequence = static_cast<std::uint32_t>(sent);
    for (Direction& direction : directions) {
      direction.send_ns[sent] = clock_ns(CLOCK_REALTIME);
      if (!direction.send(packet, sent % options.flows)) ++direction.send_errors;
    }
    ++sent;
    due += interval;
  }
  sender_cpu = thread_cpu();
  sender_done.store(true, std::memory_order_release);
}

void OutageMeter::State::receive_all() {
  const bool is_above_hanetd = options.priority > MeterOptions().priority;
  if (is_above_hanetd) prefer_this_thread(options.priority);
  std::int64_t next = clock_ns(CLOCK_MONOTONIC);
  while (!stop_receiving.load(std::memory_order_relaxed)) {
    next = std::max(next, clock_ns(CLOCK_MONOTONIC)) + nanoseconds(kDrainEvery).count();
    sleep_until(next);
    for (Direction& direction : directions) direction.drain(batch, run);
  }
  for (Direction& direction : directions) direction.drain(batch, run);
  receiver_cpu = thread_cpu();
}

/// A few packets first: they resolve the neighbours, and the kernel switches time stamping on from
/// a work queue a moment after the first socket asked for it (net_enable_timestamp in
/// net/core/dev.c).
bool OutageMeter::State::warm_up() {
  const MonotonicTime deadline = monotonic_now() + options.answer_deadline;
  const MonotonicTime stamping = monotonic_now() + 10ms;
  const Packet packet{.run = run, .sequence = kWarmUp};
  while (monotonic_now() < deadline) {
    for (Direction& direction : directions)
      for (std::size_t flow = 0; flow < options.flows; ++flow) (void)direction.send(packet, flow);
    std::this_thread::sleep_for(2ms);
    for (Direction& direction : directions) direction.drain(batch, run);
    const bool warm = directions[0].warm && directions[1].warm;
    if (warm && monotonic_now() >= stamping) return true;
  }
  return false;
}

void OutageMeter::State::join() {
  stop_sending.store(true, std::memory_order_relaxed);
  if (sender.joinable()) sender.join();
  if (receiver.joinable()) {
    std::this_thread::sleep_for(kUnderWay);
    stop_receiving.store(true, std::memory_order_relaxed);
    receiver.join();
  }
}

OutageMeter::OutageMeter(std::unique_ptr<State> state) : state_(std::move(state)) {}

OutageMeter::~OutageMeter() { state_->join(); }

Result<std::unique_ptr<OutageMeter>> OutageMeter::open(const MeterOptions& options) {
  if (options.packets_per_second < 100 || options.packets_per_second > 200'000) {
    return failure(
        fmt::format("{} packets/s: allowed are 100 to 200000", options.packets_per_second));
  }
  if (options.flows < 1 || options.flows > 64)
    return failure(fmt::format("{} flows: allowed are 1 to 64", options.flows));
  auto state = std::make_unique<State>();
  state->options = options;
  if (Status opened = state->open_sockets(); !opened) return pass_on(opened);
  const auto run = static_cast<std::size_t>(std::max<std::int64_t>(options.longest_run.count(), 1));
  state->capacity = run * options.packets_per_second / 1000 + 1;
  state->run = std::random_device{}();
  state->directions[0].from = state->directions[1].to = state->a;
  state->directions[0].to = state->directions[1].from = state->b;
  for (Direction& direction : state->directions) direction.reserve(state->capacity);
  return std::unique_ptr<OutageMeter>(new OutageMeter(std::move(state)));
}

Status OutageMeter::start() {
  if (!state_->warm_up()) {
    const Endpoint& a = state_->options.a;
    const Endpoint& b = state_->options.b;
    const auto from_to = [](const Endpoint& x, const Endpoint& y) {
      return fmt::format("{} ({}) to {} ({})", x.netns, x.address, y.netns, y.address);
    };
    return failure(fmt::format("no packet passed from {} within {} ms",
                               state_->directions[0].warm ? from_to(b, a) : from_to(a, b),
                               state_->options.answer_deadline.count()));
  }
  state_->receiver = std::thread([this] { state_->receive_all(); });
  state_->sender = std::thread([this] { state_->send_all(); });
  return {};
}

bool OutageMeter::finished() const { return state_->sender_done.load(std::memory_order_acquire); }

MeterReport OutageMeter::stop(const FaultPeriod& fault) {
  state_->join();
  const std::int64_t end_ns = clock_ns(CLOCK_REALTIME);
  MeterReport report;
  report.sender_stall = state_->sender_stall;
  report.sender_cpu = state_->sender_cpu;
  report.receiver_cpu = state_->receiver_cpu;
  report.realtime_minus_monotonic_ns = end_ns - clock_ns(CLOCK_MONOTONIC);
  const std::array<DirectionReport*, 2> reports{&report.a_to_b, &report.b_to_a};
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const Direction& direction = state_->directions[i];
    const std::span<const std::int64_t> send_ns(direction.send_ns.data(), state_->sent);
    *reports[i] = analyse_flows({.send_ns = send_ns,
                                 .arrivals = {direction.arrivals.data(), direction.arrived},
                                 .end_ns = end_ns,
                                 .fault_from_ns = fault.from.time_since_epoch().count() +
                                                  report.realtime_minus_monotonic_ns,
                                 .fault_until_ns = fault.until.time_since_epoch().count() +
                                                   report.realtime_minus_monotonic_ns},
                                state_->options.flows);
    reports[i]->send_errors = direction.send_errors;
    if (!send_ns.empty()) report.duration = nanoseconds(send_ns.back() - send_ns.front());
  }
  return report;
}

}  // namespace hanet::bench
