// SPDX-License-Identifier: Apache-2.0
//
// See left_engine.h.
#include "engine/left_engine.h"

#include <bpf/bpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "engine/probe.h"

namespace hanet::engine {
namespace {

// Every map whose timers its verdicts hang on (bpf/maps.bpf.h).
constexpr std::array<const char*, 3> kTimers{"deadline_timers", "link_timers", "receivers"};

/// Invalid: there is no such pin, or its values are of another size.
template <typename T>
MappedArray<T> mapped(const std::filesystem::path& pin, std::size_t entries) {
  const Fd map(bpf_obj_get(pin.c_str()));
  if (!map.valid() || !has_values_of(map.get(), sizeof(T))) return {};
  auto array = MappedArray<T>::of(map.get(), entries, true);
  return array ? std::move(*array) : MappedArray<T>();
}

std::uint64_t nanoseconds_of(MonotonicTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

// A link-local source is a probe address, which is another one with each start.
bool is_made_up(const hanet_session& session) {
  return session.family == AF_INET6 && session.source[0] == 0xfe &&
         (session.source[1] & 0xc0) == 0x80;
}

bool asks_the_same(const hanet_session& ended, const hanet_session& ours) {
  const bool same_source =
      is_made_up(ours) ? is_made_up(ended) : std::ranges::equal(ended.source, ours.source);
  const bool same_mac = ours.target_mac_known != HANET_MAC_CONFIGURED ||
                        std::ranges::equal(ended.target_mac, ours.target_mac);
  return ended.kind == ours.kind && ended.family == ours.family && same_source && same_mac &&
         std::ranges::equal(ended.target, ours.target) &&
         std::ranges::equal(ended.next_hop, ours.next_hop);
}

// As the kernel side starts a session (bpf/control.bpf.h), but for its state: the next request arms
// the deadline, which may have passed meanwhile. Where nobody is asked, only what is heard from now
// on does (bpf/silence.bpf.h).
void resume(hanet_session& session, std::uint32_t state) {
  store(session.answered, load(session.sent));
  store(session.replies_in_row, 0U);
  if (session.kind == HANET_HEARTBEAT_SILENCE) {
    store(session.counted_ns, std::uint64_t{0});
    if (state == HANET_SESSION_UP) state = HANET_SESSION_UNKNOWN;
  }
  store(session.state, state);
}

}  // namespace

bool LeftEngine::map_memory(const std::filesystem::path& directory) {
  accounts_ = mapped<hanet_engine>(directory / "engine", 1);
  ports_ = mapped<hanet_port>(directory / "ports", HANET_MAX_PORTS);
  sessions_ = mapped<hanet_session>(directory / "sessions", HANET_MAX_SESSIONS);
  steer_ = mapped<hanet_steer>(directory / "steer", HANET_MAX_PORTS);
  trunks_ = mapped<hanet_trunk>(directory / "trunks", HANET_MAX_TRUNKS);
  devices_ = mapped<hanet_device>(directory / "devices", HANET_MAX_GROUPS);  // or none: before 0.18
  pacer_ = mapped<hanet_pacer>(directory / "pacer", 1);
  flights_ = mapped<hanet_flight>(directory / "flights", HANET_MAX_SESSIONS);
  return accounts_.valid() && ports_.valid() && sessions_.valid() && steer_.valid() &&
         trunks_.valid() && pacer_.valid() && flights_.valid() &&
         load(accounts_[0].abi) == HANET_ABI;
}

LeftEngine LeftEngine::open(const std::filesystem::path& directory) {
  LeftEngine left;
  std::error_code failed;
  if (!std::filesystem::exists(directory / "sessions", failed)) return left;
  if (left.map_memory(directory)) {
    std::ranges::copy(left.accounts_[0].tc_programs, left.programs_.begin());
    for (const char* name : kTimers)
      left.held_.emplace_back(bpf_obj_get((directory / name).c_str()));
    return left;
  }
  // Its interfaces are where they always were; nothing else of it is read or written.
  LeftEngine foreign;
  foreign.is_foreign_ = true;
  foreign.ports_ = std::move(left.ports_);
  foreign.devices_ = std::move(left.devices_);
  return foreign;
}

std::set<unsigned> LeftEngine::interfaces() const {
  std::set<unsigned> watched;
  for (std::size_t port = 0; ports_.valid() && port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && ports_[port].ifindex != 0) watched.insert(ports_[port].ifindex);
  for (std::size_t group = 0; devices_.valid() && group < HANET_MAX_GROUPS; ++group)
    if (devices_[group].ifindex != 0) watched.insert(devices_[group].sends);
  return watched;
}

void LeftEngine::show_presence(std::uint64_t now_ns) const {
  if (accounts_.valid()) store(accounts_[0].attended_ns, now_ns);
}

std::optional<MonotonicTime> LeftEngine::last_attended() const {
  if (!accounts_.valid()) return std::nullopt;
  return from_kernel_ns(load(accounts_[0].attended_ns));
}

std::optional<std::size_t> LeftEngine::port_at(unsigned ifindex) const {
  for (std::size_t port = 0; steer_.valid() && port < HANET_MAX_PORTS; ++port)
    if (ports_[port].in_use != 0 && ports_[port].ifindex == ifindex) return port;
  return std::nullopt;
}

void LeftEngine::hear_at_tc(unsigned ifindex) const {
  const auto port = port_at(ifindex);
  if (!port) return;
  store(ports_[*port].replies_at_xdp, 0U);
  store(ports_[*port].answers_at_xdp, 0U);
  for (std::size_t at = 0; at < HANET_MAX_SESSIONS; ++at)
    if (sessions_[at].in_use != 0 && sessions_[at].port == *port)
      store(sessions_[at].heard_at_xdp, std::uint8_t{0});
}

std::optional<LeftEngine::Steering> LeftEngine::disarm(unsigned ifindex) {
  const auto port = port_at(ifindex);
  if (!port) return std::nullopt;
  const bool was_armed =
      std::atomic_ref(steer_[*port].armed).exchange(0, std::memory_order_seq_cst) != 0;
  if (was_armed) disarmed_.insert(*port);
  std::optional<Steering> now = steering(ifindex);
  now->is_armed = was_armed;
  return now;
}

void LeftEngine::arm(unsigned ifindex) {
  const auto port = port_at(ifindex);
  if (!port) return;
  disarmed_.erase(*port);
  store(steer_[*port].armed, 1U);
}

// First those that make the verdicts, then whether they bridge.
void LeftEngine::go_on(unsigned ifindex) {
  const auto port = port_at(ifindex);
  if (!port) return;
  for (auto one = ended_.begin(); one != ended_.end();) {
    const auto [at, state] = *one;
    if (sessions_[at].port != *port) {
      ++one;
      continue;
    }
    resume(sessions_[at], state);
    one = ended_.erase(one);
  }
  if (disarmed_.contains(*port)) arm(ifindex);
}

std::uint32_t LeftEngine::carrier(unsigned ifindex) const {
  const auto port = port_at(ifindex);
  return port ? load(ports_[*port].carrier) : static_cast<std::uint32_t>(HANET_CARRIER_UNKNOWN);
}

unsigned LeftEngine::speaker(unsigned ifindex) const {
  const auto port = port_at(ifindex);
  const std::uint32_t number = port ? load(ports_[*port].trunk) : 0;
  if (number == 0 || number > HANET_MAX_TRUNKS) return 0;
  const std::uint32_t slot = load(trunks_[number - 1].speaker);
  return slot < HANET_TRUNK_PORTS ? load(trunks_[number - 1].ports[slot].ifindex) : 0;
}

unsigned LeftEngine::path_of_device(unsigned ifindex) const {
  for (std::size_t group = 0; devices_.valid() && group < HANET_MAX_GROUPS; ++group) {
    if (devices_[group].ifindex != ifindex || ifindex == 0) continue;
    const std::uint32_t port = load(devices_[group].port);
    return port < HANET_MAX_PORTS ? load(ports_[port].ifindex) : 0;
  }
  return 0;
}

std::optional<LeftEngine::Steering> LeftEngine::steering(unsigned ifindex) const {
  const auto port = port_at(ifindex);
  if (!port) return std::nullopt;
  const hanet_steer& way = steer_[*port];
  const std::uint32_t peer = load(way.peer_port);
  return Steering{.mode = load(way.mode),
                  .is_armed = load(way.armed) != 0,
                  .peer = peer < HANET_MAX_PORTS ? load(ports_[peer].ifindex) : 0,
                  .since_ns = load(way.steered_ns)};
}

bool LeftEngine::end_steering(unsigned ifindex) const {
  const auto port = port_at(ifindex);
  if (!port) return false;
  store(steer_[*port].armed, 0U);
  store(steer_[*port].mode, static_cast<std::uint32_t>(HANET_STEER_NONE));
  store(ports_[*port].answers_at_xdp, 1U);  // where its program is not any more
  return true;
}

// What is read before the state is newer than that only by what the kernel side writes meanwhile.
std::vector<LeftEngine::Known> LeftEngine::end_sessions(unsigned ifindex) {
  std::vector<Known> ended;
  for (std::size_t at = 0; sessions_.valid() && at < HANET_MAX_SESSIONS; ++at) {
    hanet_session& session = sessions_[at];
    if (session.in_use == 0 || session.port >= HANET_MAX_PORTS ||
        ports_[session.port].ifindex != ifindex)
      continue;
    const std::uint32_t state =
        std::atomic_ref(session.state).exchange(HANET_SESSION_PAUSED, std::memory_order_seq_cst);
    ended_.emplace(at, state);
    const hanet_port& port = ports_[session.port];
    ended.push_back({.port = port.name,
                     .ifindex = ifindex,
                     .beat_type = port.beat_type,
                     .beat_port = port.beat_port,
                     .session = session,
                     .flight = flights_[at],
                     .carrier = load(port.carrier),
                     .carrier_changed_ns = load(port.carrier_changed_ns)});
    ended.back().session.state = state;
  }
  return ended;
}

void LeftEngine::stop() {
  if (pacer_.valid()) store(pacer_[0].mode, HANET_PACER_NONE);
  held_.clear();
}

bool is_known(const hanet_session& ended, const hanet_session& ours, MonotonicTime now) {
  if (ours.kind == HANET_HEARTBEAT_SILENCE || !asks_the_same(ended, ours)) return false;
  const bool is_up = ended.state == HANET_SESSION_UP;
  if (!is_up && ended.state != HANET_SESSION_DOWN) return false;
  const std::uint64_t newest = is_up ? ended.last_reply_ns : ended.last_sent_ns;
  const std::uint64_t fresh = 2'000ULL * ended.interval_us * ended.multiplier;
  return newest != 0 && nanoseconds_of(now) < newest + fresh;
}

void inherit(hanet_session& ours, const hanet_session& ended) {
  if (ours.target_mac_known != HANET_MAC_CONFIGURED) {
    std::copy_n(ended.target_mac, sizeof(ours.target_mac), ours.target_mac);
    ours.target_mac_known =
        ended.target_mac_known == HANET_MAC_UNKNOWN ? HANET_MAC_UNKNOWN : HANET_MAC_LEARNED;
    ours.target_mac_learned_ns = ended.target_mac_learned_ns;
  }
  ours.last_reply_ns = ended.last_reply_ns;
  ours.first_lost_ns = ended.first_lost_ns;
  ours.deadline_ns = ended.deadline_ns;
  ours.verdict_ns = ended.verdict_ns;
  ours.down_verdicts = ended.state == HANET_SESSION_DOWN ? 1 : 0;
  ours.up_verdicts = std::min<std::uint64_t>(ended.up_verdicts, 1);
}

}  // namespace hanet::engine
