// SPDX-License-Identifier: Apache-2.0
//
// See pacer.h.
#include "engine/pacer.h"

#include <fmt/format.h>
#include <linux/if_ether.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "core/log.h"
#include "net/link.h"

namespace hanet::engine {
namespace {

// tbf's longest token, a byte for a microsecond, with room for the header.
constexpr unsigned kTokenMaxBytes = HANET_TOKEN_MAX_NS / 1000;
constexpr unsigned kMtu = kTokenMaxBytes + 48;

// So many instances on one host find names for their pairs.
constexpr int kPairs = 16;

net::Pair pair_number(int number) {
  return {.near = fmt::format("hanet-pace{}", 2 * number),
          .far = fmt::format("hanet-pace{}", 2 * number + 1)};
}

/// What `ip link` shows of the pair.
std::string text_of(const std::string& owner) {
  return fmt::format("paces the heartbeats of {}; carries no traffic", owner);
}

void put(hanet_frame& place, const net::Frame& frame) {
  std::fill(std::begin(place.bytes), std::end(place.bytes), std::uint8_t{0});
  std::copy_n(frame.begin(), std::min<std::size_t>(frame.size(), HANET_PACED_BYTES), place.bytes);
  store(place.length,
        static_cast<std::uint32_t>(frame.size() <= HANET_PACED_BYTES ? frame.size() : 0));
}

}  // namespace

Result<std::unique_ptr<Pacer>> Pacer::start(const Kernel& kernel, const std::string& owner) {
  std::unique_ptr<Pacer> pacer(new Pacer(kernel, owner));
  if (Status done = pacer->open_maps(); !done) return pass_on(done);
  Result<net::NetlinkSocket> requests = net::NetlinkSocket::open();
  if (!requests) return pass_on(requests);
  pacer->requests_ = std::move(*requests);
  if (Status done = pacer->set_up(); !done) return pass_on(done);
  return pacer;
}

Status Pacer::open_maps() {
  auto paced = MappedArray<hanet_paced>::of(kernel_.paced, HANET_MAX_SESSIONS, true);
  if (!paced) return pass_on(paced);
  auto pacer = MappedArray<hanet_pacer>::of(kernel_.pacer, 1, true);
  if (!pacer) return pass_on(pacer);
  paced_ = std::move(*paced);
  pacer_ = std::move(*pacer);
  return {};
}

Status Pacer::set_up() {
  if (Status done = make_pair(); !done) return done;
  if (Status done = choose_discipline(); !done) return done;
  if (Status done = attach(); !done) return done;
  return begin();
}

void Pacer::end_left(const std::string& owner, unsigned kept) {
  Result<net::NetlinkSocket> requests = net::NetlinkSocket::open();
  for (int number = 0; requests && number < kPairs; ++number) {
    const net::Pair pair = pair_number(number);
    const unsigned left = ::if_nametoindex(pair.near.c_str());
    if (left == 0 || left == kept || net::link_text(*requests, left) != text_of(owner)) continue;
    if (Status gone = requests->request(net::remove_link(left), "remove " + pair.near); !gone)
      log::warning("{}; 'ip link del {}' does it", gone.error().message, pair.near);
  }
}

std::set<unsigned> Pacer::pair_of(unsigned near) {
  for (int number = 0; near != 0 && number < kPairs; ++number)
    if (const net::Pair pair = pair_number(number); ::if_nametoindex(pair.near.c_str()) == near)
      return {near, ::if_nametoindex(pair.far.c_str())};
  return {};
}

Status Pacer::make_pair() {
  Status made = failure("make a pair of interfaces: every name for it is taken");
  for (int number = 0; number < kPairs; ++number) {
    const net::Pair pair = pair_number(number);
    if (::if_nametoindex(pair.near.c_str()) != 0) continue;
    made = requests_.request(net::make_pair_of_links(pair, kMtu),
                             fmt::format("make the interfaces {} and {}", pair.near, pair.far));
    if (!made && made.error().code == EEXIST) continue;
    return made ? take_pair(pair, text_of(owner_)) : made;
  }
  return made;
}

Status Pacer::take_pair(const net::Pair& pair, const std::string& text) {
  near_name_ = pair.near;
  near_ = ::if_nametoindex(pair.near.c_str());
  far_ = ::if_nametoindex(pair.far.c_str());
  for (const std::string& end : {pair.near, pair.far}) net::forbid_ipv6(end);
  for (const unsigned end : {near_, far_})
    if (Status named = requests_.request(net::set_link_text(end, text), "describe " + pair.near);
        !named)
      return named;
  return {};
}

Status Pacer::choose_discipline() {
  if (requests_.request(net::delay_by_fq(near_), "put fq on " + near_name_)) {
    mode_ = HANET_PACER_FQ;
    discipline_ = "fq";
    return {};
  }
  mode_ = HANET_PACER_TBF;
  discipline_ = "tbf";
  return requests_.request(net::delay_by_tbf(near_, kTokenMaxBytes),
                           fmt::format("put tbf on {}, as fq is refused", near_name_));
}

Status Pacer::attach() {
  Result<TcHook> arrives = TcHook::attach(kernel_.tc_pacer, far_, Direction::Ingress,
                                          near_name_ + "'s far end", kernel_.pins);
  if (!arrives) return pass_on(arrives);
  arrives_ = std::move(*arrives);
  if (mode_ == HANET_PACER_FQ) {
    Result<TcHook> departs =
        TcHook::attach(kernel_.tc_departs, near_, Direction::Egress, near_name_, kernel_.pins);
    if (!departs) return pass_on(departs);
    departs_ = std::move(*departs);
  }
  Result<net::PacketSocket> socket = net::PacketSocket::open(near_);
  if (!socket) return pass_on(socket);
  socket_ = std::move(*socket);
  return {};
}

Status Pacer::begin() {
  for (const unsigned end : {far_, near_})
    if (Status up = requests_.request(net::set_admin_state(end, true), "bring up " + near_name_);
        !up)
      return up;
  return put_token_in();
}

Status Pacer::put_token_in() {
  hanet_pacer& pacer = pacer_[0];
  const hanet_token token{.magic = HANET_TOKEN_MAGIC, .number = load(pacer.token) + 1};
  store(pacer.ifindex, near_);
  store(pacer.token, token.number);
  store(pacer.mode, mode_);
  net::Frame frame(HANET_PACED_BYTES);
  frame[ETH_ALEN * 2] = HANET_TOKEN_TYPE >> 8;
  frame[ETH_ALEN * 2 + 1] = HANET_TOKEN_TYPE & 0xff;
  std::memcpy(frame.data() + ETH_HLEN, &token, sizeof(token));
  put_in_ = monotonic_now();
  if (const int error = socket_.send(frame); error != 0)
    return errno_error(error, "send a frame into " + near_name_);
  return {};
}

Pacer::~Pacer() {
  if (pacer_.valid()) store(pacer_[0].mode, HANET_PACER_NONE);
  if (near_ == 0) return;
  if (Status gone = requests_.request(net::remove_link(near_), "remove " + near_name_); !gone)
    log::warning("{}; 'ip link del {}' does it", gone.error().message, near_name_);
}

void Pacer::carry(std::uint32_t session, const net::Frame& heartbeat, const net::Frame& search,
                  const net::Frame& refresh) const {
  hanet_paced& paced = paced_[session];
  if (load(paced.is_paced) != 0 || heartbeat.empty() || heartbeat.size() > HANET_PACED_BYTES)
    return;
  paced = hanet_paced{};
  put(paced.heartbeat, heartbeat);
  put(paced.search, search);
  put(paced.refresh, refresh);
  store(paced.is_paced, 1);
  store(pacer_[0].sessions, std::max(load(pacer_[0].sessions), session + 1));
}

void Pacer::drop(std::uint32_t session) const { store(paced_[session].is_paced, 0); }

bool Pacer::goes_on(MonotonicTime now) const {
  return now < from_kernel_ns(load(pacer_[0].round_ns)) + kTokenLost;
}

void Pacer::tick(MonotonicTime now) {
  if (goes_on(now) || now < put_in_ + 4 * kTokenLost) return;
  put_in_ = now;
  ++lost_;
  const bool is_there = ::if_nametoindex(near_name_.c_str()) == near_;
  const Status again = is_there ? begin() : set_up();
  if (told_ && now < *told_ + kTellAgain) return;
  told_ = now;
  log::warning(
      "the pacer's token did not come round on {} ({} time(s) until now): {}; until it does "
      "hanetd's thread sends",
      near_name_, lost_,
      !again     ? again.error().message
      : is_there ? "a new one is put in"
                 : "a new pair is made");
}

}  // namespace hanet::engine
