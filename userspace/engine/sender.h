// SPDX-License-Identifier: Apache-2.0
//
// The sender: a real-time thread that puts prepared requests on the wire, where the kernel does
// not.
//
// Where there is a pacer (pacer.h) that carries a session, the thread only looks now and then
// whether the token still comes round, and sends by itself until it does again.
//
// It decides only when to send and whether to search for the target's address (beat.h); whether a
// path lives is the kernel side's verdict, which counts a request only when it really left. So a
// sender that is held up delays detection and never fakes a failure.
//
// Searching uses broadcast (ARP) or multicast (solicitation) at most once a second, and only while
// the target's address is unknown or two requests stand unanswered: a network must not notice
// hanet. Every ten seconds it is asked once while the target answers, to hear of a second host with
// its address. While echoes are the heartbeat, the address is refreshed by one unicast request a
// second.
//
// A silent session sends nothing but such searches, and none once it knows its peer and hears it.
//
// A request that left is stamped before the call that sent it returns, so the sender also knows
// whether the kernel side saw it: a program in front of hanet's may have hidden it (tc_hook.h).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <set>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "engine/beat.h"
#include "engine/engine.h"
#include "net/frames.h"
#include "net/packet_socket.h"

namespace hanet::engine {

/// What one session sends; addresses are filled in as they are learned.
struct RequestFrames {
  SessionIndex session = 0;
  net::PacketSocket socket;
  net::Frame heartbeat;  ///< destination is overwritten with the target's MAC; empty: silence
  net::Frame search;     ///< broadcast or multicast; empty: nobody is searched for
  net::Frame refresh;    ///< unicast neighbour request; empty where the heartbeat is one
};

/// So many requests in a row that were not stamped: nothing is known of the path. One may leave
/// while its session is paused, or while the programs change places.
inline constexpr std::uint32_t kBlindAfter = 2;

class Sender {
 public:
  /// Account of one session; written by the sender's thread, read by any.
  struct Account {
    std::atomic<std::uint64_t> send_errors = 0;
    std::atomic<int> last_errno = 0;
    std::atomic<std::uint64_t> searches = 0;
    std::atomic<std::uint64_t> latest_ns = 0;  ///< most that one wake-up was late
    std::atomic<std::uint32_t> unstamped = 0;  ///< requests in a row that the kernel did not see
    [[nodiscard]] bool is_blind() const { return unstamped.load() >= kBlindAfter; }
    void clear() {
      send_errors = searches = latest_ns = 0;
      last_errno = 0;
      unstamped = 0;
    }
  };

  /// Starts the thread with SCHED_FIFO priority 50 and an absolute clock; without the right to
  /// real-time priority it runs as it may and says so once. `engine` must outlive the Sender.
  [[nodiscard]] static Result<std::unique_ptr<Sender>> start(const Engine& engine,
                                                             std::vector<RequestFrames> requests);
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  /// Stops within 20 ms.
  ~Sender();

  /// Sends for other sessions from now on: for those of `added`, and not for `removed` any more.
  /// The thread stands still meanwhile, between two beats; it is not exchanged, because another one
  /// may not be had. From the owner's thread only.
  void change(const std::set<SessionIndex>& removed, std::vector<RequestFrames> added);

  /// Sends a session's requests through this socket from its next beat on. From one thread only.
  void replace_socket(SessionIndex session, net::PacketSocket socket);
  /// Closing waits for the network stack, which the thread must not: whoever replaces does it.
  void close_replaced_sockets();

  [[nodiscard]] const Account& account(SessionIndex session) const { return accounts_[session]; }

 private:
  Sender(const Engine& engine, std::vector<RequestFrames> requests);
  void forget(std::size_t at);
  void run();
  /// Sends what is due for one session; returns when the next is due.
  MonotonicTime beat(std::size_t at, MonotonicTime now);
  /// Does the kernel side send for it? Then its account is taken over.
  [[nodiscard]] bool is_carried(std::size_t at, MonotonicTime now);
  void carry(std::size_t at) const;
  void take_fresh_socket(RequestFrames& request);
  /// Requests go to the address that was learned last.
  void address_to_target(std::size_t at);
  /// A frame that the kernel side stamps.
  void send_request(std::size_t at, const net::Frame& frame);
  /// Returns whether it left.
  bool send(std::size_t at, const net::Frame& frame);

  const Engine& engine_;
  std::vector<RequestFrames> requests_;
  std::vector<Beat> beats_;
  struct Carried {
    std::uint64_t searches = 0;
    std::uint64_t refused = 0;
  };
  std::vector<Carried> carried_;             // what was taken over of the pacer's account
  std::vector<std::uint64_t> known_mac_ns_;  // of the address that requests go to, by request
  std::vector<Account> accounts_{HANET_MAX_SESSIONS};
  // Sockets on their way to the thread, which takes them at a beat.
  std::vector<std::atomic<net::PacketSocket*>> fresh_sockets_{HANET_MAX_SESSIONS};
  // And those that they replaced, on their way back.
  std::vector<std::atomic<net::PacketSocket*>> replaced_sockets_{HANET_MAX_SESSIONS};
  std::atomic<bool> has_replaced_ = false;
  std::atomic<bool> stopping_ = false;
  // change() asks the thread to stand still, which says that it does and waits to be sent on.
  std::atomic<bool> pausing_ = false;
  std::binary_semaphore stands_still_{0};
  std::binary_semaphore goes_on_{0};
  std::thread thread_;
};

}  // namespace hanet::engine
