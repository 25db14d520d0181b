// SPDX-License-Identifier: Apache-2.0
//
// The pacer, as user space holds it: sets the kernel side up to send by itself (bpf/pacer.bpf.h).
//
// A pair of interfaces is made, a queueing discipline put on its near end, the programs attached,
// and one frame put in: the token. From then on requests leave whatever becomes of this process.
// Where the kernel has no veth, or neither fq nor tbf, there is no pacer, and the thread of the
// Sender goes on sending.
//
// Threading: tick() is the owner's thread; everything else writes shared memory, and may be called
// by the sender's owner while its thread stands.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "engine/maps.h"
#include "engine/tc_hook.h"
#include "hanet/abi.h"
#include "net/frames.h"
#include "net/netlink.h"
#include "net/packet_socket.h"
#include "net/pair.h"

namespace hanet::engine {

/// A token that did not come round for so long is lost: the pair was touched, or memory was short.
/// Longer than any round (HANET_TOKEN_MAX_NS, with fq 10 ms), so that one that is late is not taken
/// for lost.
inline constexpr Nanoseconds kTokenLost = std::chrono::milliseconds(25);
/// A machine that stands still now and then for longer than that is told of once in so long.
inline constexpr Nanoseconds kTellAgain = std::chrono::minutes(1);

class Pacer {
 public:
  /// Descriptors of the loaded object.
  struct Kernel {
    int tc_pacer;
    int tc_departs;
    int paced;  ///< map
    int pacer;  ///< map
    std::filesystem::path pins;
  };
  /// `owner`: by what a person tells instances apart, for the pair's text. On error nothing is left
  /// behind, and the error says what this kernel lacks.
  [[nodiscard]] static Result<std::unique_ptr<Pacer>> start(const Kernel& kernel,
                                                            const std::string& owner);
  /// Takes away what killed instances of this owner left: their pairs, and so their tokens. The
  /// pair of the interface `kept` stays; 0: none does.
  static void end_left(const std::string& owner, unsigned kept);
  /// Both ends of the pair whose one end is `near`; empty: there is none.
  [[nodiscard]] static std::set<unsigned> pair_of(unsigned near);
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;
  /// Takes the pair away.
  ~Pacer();

  /// The end of the pair that the token goes into.
  [[nodiscard]] unsigned token_interface() const { return near_; }
  /// Both ends of the pair.
  [[nodiscard]] std::set<unsigned> interfaces() const { return {near_, far_}; }
  /// "fq" or "tbf".
  [[nodiscard]] std::string_view discipline() const { return discipline_; }
  /// Sends these for the session from now on; frames that are empty are not sent. One that is
  /// carried already goes on undisturbed. Frames are at most HANET_PACED_BYTES long.
  void carry(std::uint32_t session, const net::Frame& heartbeat, const net::Frame& search,
             const net::Frame& refresh) const;
  void drop(std::uint32_t session) const;
  /// Does the token come round, so that nobody else has to send?
  [[nodiscard]] bool goes_on(MonotonicTime now) const;
  [[nodiscard]] const hanet_paced& account(std::uint32_t session) const { return paced_[session]; }
  /// Puts a new token in where it is lost, and makes a new pair where that is gone; says so in the
  /// log, once for each loss.
  void tick(MonotonicTime now);

 private:
  Pacer(const Kernel& kernel, std::string owner) : kernel_(kernel), owner_(std::move(owner)) {}
  [[nodiscard]] Status open_maps();
  [[nodiscard]] Status set_up();
  [[nodiscard]] Status make_pair();
  [[nodiscard]] Status take_pair(const net::Pair& pair, const std::string& text);
  [[nodiscard]] Status choose_discipline();
  [[nodiscard]] Status attach();
  [[nodiscard]] Status begin();
  [[nodiscard]] Status put_token_in();

  Kernel kernel_;
  std::string owner_;
  net::NetlinkSocket requests_;
  unsigned near_ = 0;
  unsigned far_ = 0;
  std::string near_name_;
  hanet_pacer_mode mode_ = HANET_PACER_NONE;
  std::string_view discipline_;
  MappedArray<hanet_paced> paced_;
  MappedArray<hanet_pacer> pacer_;
  TcHook arrives_;
  TcHook departs_;
  net::PacketSocket socket_;
  MonotonicTime put_in_{};
  std::uint64_t lost_ = 0;             ///< how often it was
  std::optional<MonotonicTime> told_;  ///< when that was said last
};

}  // namespace hanet::engine
