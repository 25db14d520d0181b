// SPDX-License-Identifier: Apache-2.0
//
// See sender.h. The loop allocates nothing, takes no lock and writes no log.
#include "engine/sender.h"

#include <algorithm>

#include "core/log.h"
#include "core/priority.h"

namespace hanet::engine {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanoseconds kSearchGap = seconds(1);
constexpr Nanoseconds kRefreshGap = seconds(1);
constexpr Nanoseconds kIdle = milliseconds(10);

void raise_to(std::atomic<std::uint64_t>& highest, std::uint64_t value) {
  if (value > highest.load(std::memory_order_relaxed))
    highest.store(value, std::memory_order_relaxed);
}

}  // namespace

Sender::Sender(const Engine& engine, std::vector<RequestFrames> requests)
    : engine_(engine), requests_(std::move(requests)), beats_(requests_.size()) {
  thread_ = std::thread([this] { run(); });
}

Sender::~Sender() {
  stopping_ = true;
  thread_.join();
  for (std::atomic<net::PacketSocket*>& fresh : fresh_sockets_) delete fresh.load();
  for (std::atomic<net::PacketSocket*>& replaced : replaced_sockets_) delete replaced.load();
}

void Sender::replace_socket(SessionIndex session, net::PacketSocket socket) {
  close_replaced_sockets();  // so that there is a place for the one that comes back
  const auto taken_back = std::unique_ptr<net::PacketSocket>(
      fresh_sockets_[session].exchange(new net::PacketSocket(std::move(socket))));
}

void Sender::close_replaced_sockets() {
  if (!has_replaced_.exchange(false)) return;
  for (std::atomic<net::PacketSocket*>& replaced : replaced_sockets_)
    delete replaced.exchange(nullptr);
}

void Sender::take_fresh_socket(RequestFrames& request) {
  std::atomic<net::PacketSocket*>& slot = fresh_sockets_[request.session];
  std::atomic<net::PacketSocket*>& replaced = replaced_sockets_[request.session];
  if (slot.load(std::memory_order_relaxed) == nullptr || replaced.load() != nullptr) return;
  net::PacketSocket* fresh = slot.exchange(nullptr);
  std::swap(request.socket, *fresh);
  replaced.store(fresh);
  has_replaced_.store(true);
}

void Sender::run() {
  if (!become_punctual("hanet-sender", kSenderPriority))
    log::warning(
        "the sender runs without real-time priority (CAP_SYS_NICE is needed): short "
        "intervals may be late");
  while (!stopping_.load(std::memory_order_relaxed)) {
    const MonotonicTime now = monotonic_now();
    MonotonicTime next = now + kIdle;
    for (std::size_t at = 0; at < requests_.size(); ++at) next = std::min(next, beat(at, now));
    sleep_until(next);
  }
}

MonotonicTime Sender::beat(std::size_t at, MonotonicTime now) {
  const hanet_session& session = engine_.session(requests_[at].session);
  Beat& beat = beats_[at];
  take_fresh_socket(requests_[at]);
  if (load(session.state) == HANET_SESSION_PAUSED) {
    beat.next = {};
    return now + kIdle;
  }
  if (requests_[at].heartbeat.empty()) {
    search_for_peer(at, now);
    return now + kIdle;
  }
  const Nanoseconds interval =
      microseconds(std::max<std::uint32_t>(load(session.interval_us), HANET_INTERVAL_MIN_US));
  // Beats of one interval fall together, so that several sessions share a wake-up.
  if (beat.next == MonotonicTime{})
    beat.next = MonotonicTime(now.time_since_epoch() / interval * interval + interval);
  if (beat.next - now > interval) beat.next = now + interval;  // the interval became shorter
  if (now < beat.next) return beat.next;
  raise_to(accounts_[requests_[at].session].latest_ns,
           static_cast<std::uint64_t>((now - beat.next).count()));
  send_request(at, now);
  beat.next += interval;
  if (beat.next <= now) beat.next = now + interval;  // held up: no burst afterwards
  return beat.next;
}

void Sender::send_request(std::size_t at, MonotonicTime now) {
  RequestFrames& request = requests_[at];
  Beat& beat = beats_[at];
  const hanet_session& session = engine_.session(request.session);
  const bool known = load(session.target_mac_known) != 0;
  const std::uint64_t unanswered = load(session.sent) - load(session.answered);
  if ((!known || unanswered >= 2) && now - beat.last_search >= kSearchGap) {
    beat.last_search = now;
    accounts_[request.session].searches.fetch_add(1, std::memory_order_relaxed);
    send(at, request.search);
    return;
  }
  if (!known) return;
  if (const std::uint64_t learned = load(session.target_mac_learned_ns);
      learned != beat.known_mac_ns) {
    beat.known_mac_ns = learned;
    net::MacAddress mac{};
    std::copy(std::begin(session.target_mac), std::end(session.target_mac), mac.begin());
    net::set_destination(request.heartbeat, mac);
    if (!request.refresh.empty()) net::set_destination(request.refresh, mac);
  }
  send(at, request.heartbeat);
  if (!request.refresh.empty() && now - beat.last_refresh >= kRefreshGap) {
    beat.last_refresh = now;
    send(at, request.refresh);
  }
}

// A peer that fell silent may have come back with another address.
void Sender::search_for_peer(std::size_t at, MonotonicTime now) {
  const RequestFrames& request = requests_[at];
  Beat& beat = beats_[at];
  const hanet_session& session = engine_.session(request.session);
  const bool wanted =
      load(session.target_mac_known) == 0 || load(session.state) == HANET_SESSION_DOWN;
  if (request.search.empty() || !wanted || now - beat.last_search < kSearchGap) return;
  beat.last_search = now;
  accounts_[request.session].searches.fetch_add(1, std::memory_order_relaxed);
  send(at, request.search);
}

void Sender::send(std::size_t at, const net::Frame& frame) {
  const int error = requests_[at].socket.send(frame);
  if (error == 0) return;
  Account& account = accounts_[requests_[at].session];
  account.send_errors.fetch_add(1, std::memory_order_relaxed);
  account.last_errno.store(error, std::memory_order_relaxed);
}

}  // namespace hanet::engine
