// SPDX-License-Identifier: Apache-2.0
//
// See sender.h. The loop allocates nothing, takes no lock and writes no log.
#include "engine/sender.h"

#include <algorithm>
#include <iterator>

#include "core/log.h"
#include "core/priority.h"
#include "core/thread.h"

namespace hanet::engine {
namespace {

void raise_to(std::atomic<std::uint64_t>& highest, std::uint64_t value) {
  if (value > highest.load(std::memory_order_relaxed))
    highest.store(value, std::memory_order_relaxed);
}

SessionView view_of(const hanet_session& session, MonotonicTime now) {
  const std::uint64_t rival = load(session.rival_heard_ns);
  const std::uint32_t state = load(session.state);
  return {.paused = state == HANET_SESSION_PAUSED,
          .down = state == HANET_SESSION_DOWN,
          .peer_known = load(session.target_mac_known) != 0,
          .rival = rival != 0 && now < from_kernel_ns(rival) + kLookGap,
          .is_signed = session.kind == HANET_HEARTBEAT_HANET,
          .unanswered = load(session.sent) - load(session.answered),
          .interval = std::chrono::microseconds(
              std::max<std::uint32_t>(load(session.interval_us), HANET_INTERVAL_MIN_US))};
}

}  // namespace

Sender::Sender(const Engine& engine, std::vector<RequestFrames> requests)
    : engine_(engine),
      requests_(std::move(requests)),
      beats_(requests_.size()),
      carried_(requests_.size()),
      known_mac_ns_(requests_.size()) {
  for (std::size_t at = 0; at < requests_.size(); ++at) carry(at);
}

Result<std::unique_ptr<Sender>> Sender::start(const Engine& engine,
                                              std::vector<RequestFrames> requests) {
  std::unique_ptr<Sender> sender(new Sender(engine, std::move(requests)));
  Result<std::thread> thread =
      start_thread("that sends heartbeats", [self = sender.get()] { self->run(); });
  if (!thread) return pass_on(thread);
  sender->thread_ = std::move(*thread);
  return sender;
}

void Sender::carry(std::size_t at) const {
  const RequestFrames& request = requests_[at];
  if (const Pacer* pacer = engine_.pacer())
    pacer->carry(request.session, request.heartbeat, request.search, request.refresh);
}

void Sender::forget(std::size_t at) {
  const SessionIndex session = requests_[at].session;
  if (const Pacer* pacer = engine_.pacer()) pacer->drop(session);
  delete fresh_sockets_[session].exchange(nullptr);
  const auto offset = static_cast<std::ptrdiff_t>(at);
  requests_.erase(requests_.begin() + offset);
  beats_.erase(beats_.begin() + offset);
  carried_.erase(carried_.begin() + offset);
  known_mac_ns_.erase(known_mac_ns_.begin() + offset);
  accounts_[session].clear();
}

void Sender::change(const std::set<SessionIndex>& removed, std::vector<RequestFrames> added) {
  pausing_ = true;
  stands_still_.acquire();
  for (std::size_t at = requests_.size(); at-- > 0;)
    if (removed.contains(requests_[at].session)) forget(at);
  std::ranges::move(added, std::back_inserter(requests_));
  beats_.resize(requests_.size());
  carried_.resize(requests_.size());
  known_mac_ns_.resize(requests_.size());
  for (std::size_t at = 0; at < requests_.size(); ++at) carry(at);
  pausing_ = false;
  goes_on_.release();
}

Sender::~Sender() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (const Pacer* pacer = engine_.pacer())
    for (const RequestFrames& request : requests_) pacer->drop(request.session);
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
    if (pausing_.load(std::memory_order_relaxed)) {
      stands_still_.release();
      goes_on_.acquire();
    }
    const MonotonicTime now = monotonic_now();
    MonotonicTime next = now + kIdle;
    for (std::size_t at = 0; at < requests_.size(); ++at) next = std::min(next, beat(at, now));
    sleep_until(next);
  }
}

MonotonicTime Sender::beat(std::size_t at, MonotonicTime now) {
  RequestFrames& request = requests_[at];
  take_fresh_socket(request);
  if (is_carried(at, now)) {
    beats_[at].next = {};
    return now + kIdle;
  }
  const FramesThere there{.heartbeat = !request.heartbeat.empty(),
                          .search = !request.search.empty(),
                          .refresh = !request.refresh.empty()};
  const Due due = due_now(beats_[at], there, view_of(engine_.session(request.session), now), now);
  Account& account = accounts_[request.session];
  raise_to(account.latest_ns, static_cast<std::uint64_t>(due.late.count()));
  if (due.search) {
    account.searches.fetch_add(1, std::memory_order_relaxed);
    if (there.heartbeat)
      send_request(at, request.search);
    else
      send(at, request.search);
  }
  if (due.look) send(at, request.search);
  if (due.heartbeat) {
    address_to_target(at);
    send_request(at, request.heartbeat);
  }
  if (due.refresh) send(at, request.refresh);
  return due.next;
}

bool Sender::is_carried(std::size_t at, MonotonicTime now) {
  const SessionIndex session = requests_[at].session;
  const Pacer* pacer = engine_.pacer();
  if (pacer == nullptr || !pacer->goes_on(now)) return false;
  const hanet_paced& paced = pacer->account(session);
  if (load(paced.is_paced) == 0) return false;
  Account& account = accounts_[session];
  Carried& carried = carried_[at];
  const Carried counted{.searches = load(paced.searches), .refused = load(paced.refused)};
  account.searches += counted.searches - carried.searches;
  account.send_errors += counted.refused - carried.refused;
  carried = counted;
  raise_to(account.latest_ns, load(paced.late_max_ns));
  account.unstamped.store(load(paced.unstamped), std::memory_order_relaxed);
  return true;
}

void Sender::address_to_target(std::size_t at) {
  RequestFrames& request = requests_[at];
  const hanet_session& session = engine_.session(request.session);
  const std::uint64_t learned = load(session.target_mac_learned_ns);
  if (learned == known_mac_ns_[at]) return;
  known_mac_ns_[at] = learned;
  net::MacAddress mac{};
  std::copy(std::begin(session.target_mac), std::end(session.target_mac), mac.begin());
  net::set_destination(request.heartbeat, mac);
  if (!request.refresh.empty()) net::set_destination(request.refresh, mac);
}

void Sender::send_request(std::size_t at, const net::Frame& frame) {
  const hanet_session& session = engine_.session(requests_[at].session);
  std::atomic<std::uint32_t>& unstamped = accounts_[requests_[at].session].unstamped;
  const std::uint64_t before = load(session.sent);
  if (!send(at, frame)) return;
  const bool was_stamped = load(session.sent) != before;
  unstamped.store(was_stamped ? 0 : unstamped.load() + 1, std::memory_order_relaxed);
}

bool Sender::send(std::size_t at, const net::Frame& frame) {
  const int error = requests_[at].socket.send(frame);
  if (error == 0) return true;
  Account& account = accounts_[requests_[at].session];
  account.send_errors.fetch_add(1, std::memory_order_relaxed);
  account.last_errno.store(error, std::memory_order_relaxed);
  return false;
}

}  // namespace hanet::engine
