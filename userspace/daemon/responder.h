// SPDX-License-Identifier: Apache-2.0
//
// `hanetd --responder`: a host that only answers the heartbeats of others (spec M1).
//
// No group, no identity, nothing is asked and nothing is moved: the programs are attached, the keys
// are in the map, and the kernel side answers. What is left for the process is to keep both there:
// a card that goes and comes back, another MAC address, another key file. Frozen or killed it
// costs nothing but that, so there is no real-time thread and no locked memory.
//
// Threading: hanetd's main thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "daemon/control.h"
#include "daemon/wakeups.h"
#include "engine/engine.h"
#include "net/link.h"
#include "net/port_lock.h"

namespace hanet::daemon {

struct ResponderOptions {
  std::vector<std::string> interfaces;  ///< at least one, each an Ethernet interface
  std::filesystem::path key_file;
  std::uint16_t ether_type = HANET_BEAT_TYPE;
  std::uint16_t udp_port = 0;           ///< of datagrams, which are answered as well; 0: are not
  std::filesystem::path run_directory;  ///< sockets
  std::filesystem::path pin_directory;  ///< pinned maps
  bool bpf_timer = true;                ///< false: do without (engine::Engine::Options)
  bool wait = false;                    ///< false: each interface has to be here at the start
};

class Responder {
 public:
  /// Attaches to all interfaces that are here, or to none.
  [[nodiscard]] static Result<std::unique_ptr<Responder>> start(ResponderOptions options);
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  /// Serves until SIGTERM or SIGINT, or SIGUSR2, which leaves the kernel side answering; SIGHUP
  /// reads the key file anew.
  [[nodiscard]] Status run();

 private:
  struct Answering {
    std::string interface;
    engine::PortIndex port = 0;
    unsigned ifindex = 0;  ///< 0: it is not here
    net::MacAddress mac{};
    bool told = false;          ///< that it can not be attached
    bool all_addresses = true;  ///< every address of it is answered at
  };

  explicit Responder(ResponderOptions options) : options_(std::move(options)) {}
  [[nodiscard]] Status lock();
  [[nodiscard]] Status open_descriptors();
  [[nodiscard]] Status attach(const std::string& interface);
  /// Datagrams are answered at the addresses that the interface has now.
  void take_addresses(Answering& one);
  /// Has a card gone, come back, or got another address?
  void look_at_links();
  void follow(Answering& one);
  /// All of the file or nothing; the error is ready to print.
  [[nodiscard]] Status take_keys();
  [[nodiscard]] Json answer(const Json& request);
  [[nodiscard]] Json status() const;

  ResponderOptions options_;
  std::vector<net::PortLock> locks_;
  std::unique_ptr<engine::Engine> engine_;
  net::NetlinkSocket requests_;
  std::unique_ptr<ControlSocket> control_;  // for root
  std::unique_ptr<ControlSocket> reading_;  // for those who change nothing
  Wakeups wakeups_;
  std::vector<Answering> answering_;
  std::vector<hanet_key> keys_;
  MonotonicTime started_{};
  MonotonicTime look_at_{};
  Watchdog watchdog_;
};

}  // namespace hanet::daemon
