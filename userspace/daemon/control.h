// SPDX-License-Identifier: Apache-2.0
//
// The control socket: one line of JSON in, one line out; `watch` keeps the line open.
//
// There are two: one for root, and one on which nothing can be changed for the group `hanet`
// (spec S5). Nothing a client does can hold hanetd up: sockets are
// non-blocking, a request is bounded, and a watcher that does not read is dropped. Nor can it lock
// others out: who asks nothing is dropped after a while, or at once when somebody else needs the
// place, and not all places are for those who watch.
#pragma once

#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/fd.h"
#include "core/json.h"
#include "core/result.h"

namespace hanet::daemon {

class ControlSocket {
 public:
  /// Turns a request into an answer.
  using Handler = std::function<Json(const Json& request)>;

  /// Answers {"command": "metrics"} by itself, with a descriptor; false: the client is dropped.
  using HandOut = std::function<bool(int client)>;

  enum class For : std::uint8_t { Root, Readers };
  /// Binds `path`, replacing a socket that a killed daemon left.
  [[nodiscard]] static Result<ControlSocket> open(const std::filesystem::path& path, For whom);
  ControlSocket(ControlSocket&&) = default;
  ControlSocket& operator=(ControlSocket&&) = default;
  ~ControlSocket();

  [[nodiscard]] int descriptor() const { return poll_.get(); }
  /// Without it "metrics" is a command like any other.
  void hand_out_by(HandOut hand_out) { hand_out_ = std::move(hand_out); }
  /// Accepts clients and serves what they ask. Never blocks.
  void serve(const Handler& handler, MonotonicTime now);
  /// Keeps an event for everybody who watches; flush() sends it.
  void broadcast(const Json& event) { events_.push_back(event); }
  void flush();

 private:
  struct Client {
    Fd fd;
    std::string input;
    MonotonicTime idle_since{};  ///< its last request, or when it came
    bool watching = false;
  };

  ControlSocket() = default;
  void accept_clients(MonotonicTime now);
  void make_room();
  /// False when the client is done.
  [[nodiscard]] bool serve_client(Client& client, const Handler& handler, MonotonicTime now);
  [[nodiscard]] bool answer_request(Client& client, const Json& request, const Handler& handler);

  Fd listener_;
  Fd poll_;
  std::list<Client> clients_;
  std::vector<Json> events_;  // an answer may cause events, so they wait until it is given
  std::filesystem::path path_;
  HandOut hand_out_;
};

struct ControlSockets {
  std::unique_ptr<ControlSocket> control;  ///< for root
  std::unique_ptr<ControlSocket> reading;  ///< for those who change nothing
};
/// Both, in a run directory that is made if it is not there.
[[nodiscard]] Result<ControlSockets> open_control_sockets(const std::filesystem::path& directory);

}  // namespace hanet::daemon
