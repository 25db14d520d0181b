// SPDX-License-Identifier: Apache-2.0
//
// rtnetlink, spoken with libmnl: dumps, batches with acknowledgements, notifications.
//
// The kernel works a batch off inside sendmsg(2), one message after the other under the RTNL lock,
// so when send() returns everything has happened and the answers wait to be read. That is what lets
// a switchover send first and look at the results afterwards.
//
// Answers that nobody reads fill the receive buffer, and then the kernel drops them. So only the
// last message of a chunk asks for one (the kernel tells failures without being asked), and between
// the chunks of a large batch the answers are read. What may have been dropped is unknown, never
// done.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::net {

/// One encoded netlink message, header included. `seq` and the ack flag are set when it is sent.
using NetlinkMessage = std::vector<std::uint8_t>;

/// The kernel's answer to one message of a batch.
struct Acknowledgement {
  int code = 0;         ///< 0 or a positive errno value
  std::string message;  ///< the kernel's extended message, often empty
};

class NetlinkSocket {
 public:
  NetlinkSocket() = default;
  /// `groups` is a bit mask of RTMGRP_*; 0 for a request socket.
  [[nodiscard]] static Result<NetlinkSocket> open(unsigned groups = 0);

  using MessageHandler = std::function<void(const nlmsghdr&)>;

  /// Runs one dump and hands its messages over when all are there: a dump during which something
  /// changed (NLM_F_DUMP_INTR) is asked for again, so no message of it is handed over twice. EINTR:
  /// something changed each time. Not to be mixed with a batch that is not collected yet.
  [[nodiscard]] Status dump(NetlinkMessage request, const MessageHandler& handler);
  /// Asks for one object. Not to be mixed with a batch either. ENODEV, ENOENT, ...: there is none.
  [[nodiscard]] Status get(NetlinkMessage request, const MessageHandler& handler);

  /// So many messages go out with one system call; more take several.
  static constexpr std::size_t kChunk = 256;
  /// Sends all messages. No allocation beyond the first use. What could not be sent counts as
  /// refused: it has its answer as well.
  [[nodiscard]] Status send(std::span<NetlinkMessage> batch);
  /// The answer to each message since the last collect, in order. An error: some answers are
  /// unknown, because the kernel had no room for them (ENOBUFS) or gave none within a second.
  [[nodiscard]] Result<std::vector<Acknowledgement>> collect();

  /// Asked between the parts of a long dump or batch; true: the rest is not worth waiting for, and
  /// the error is ECANCELED. A socket whose dump was given up is only good for being closed.
  void give_up_when(std::function<bool()> asked) { gives_up_ = std::move(asked); }

  /// Sends one message and waits for its acknowledgement; the error names the kernel's reason.
  [[nodiscard]] Status request(NetlinkMessage message, std::string_view operation);

  /// Reads waiting notifications without blocking. Returns false when the kernel had to drop some
  /// (ENOBUFS), after which the caller reads everything anew.
  [[nodiscard]] Result<bool> read_notifications(const MessageHandler& handler);

  [[nodiscard]] int descriptor() const { return fd_.get(); }
  /// The number by which notifications name this socket as the cause (nlmsg_pid).
  [[nodiscard]] std::uint32_t port_id() const { return port_id_; }

 private:
  [[nodiscard]] Status ask(NetlinkMessage& request, std::uint16_t flags,
                           const MessageHandler& handler);
  [[nodiscard]] Status send_chunk(std::span<NetlinkMessage> chunk);
  void refuse_unsent(std::size_t messages, int code);
  /// The errno value of what was wrong; 0: all answers are there, or none waits any more.
  [[nodiscard]] int read_answers(bool wait);
  [[nodiscard]] bool gives_up() const { return gives_up_ && gives_up_(); }

  Fd fd_;
  std::uint32_t port_id_ = 0;
  std::uint32_t sequence_ = 0;
  std::uint32_t awaited_from_ = 0;  // collect() tells of the messages behind this one
  std::uint32_t asked_ = 0;         // the last one that asked for an answer
  std::uint32_t answered_ = 0;      // the last one that was answered
  int trouble_ = 0;                 // errno value: answers were lost
  std::vector<std::pair<std::uint32_t, Acknowledgement>> failures_;
  std::vector<std::uint8_t> gather_;
  std::function<bool()> gives_up_;
};

/// Starts a message of `type`; the returned builder appends attributes. libmnl writes them, and
/// this makes room for them: its own builder writes into a buffer of a fixed size.
class MessageBuilder {
 public:
  /// `room`: for so many bytes behind its header.
  MessageBuilder(std::uint16_t type, std::uint16_t flags, std::size_t room = 240);
  /// Appends a family header (ifaddrmsg, rtmsg ...).
  template <typename Header>
    requires std::is_trivially_copyable_v<Header>
  MessageBuilder& header(const Header& value) {
    return header_bytes(std::span(reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)));
  }
  /// One that the kernel gave.
  MessageBuilder& header_bytes(std::span<const std::uint8_t> bytes);
  MessageBuilder& attribute(std::uint16_t type, std::span<const std::uint8_t> value);
  MessageBuilder& attribute_u8(std::uint16_t type, std::uint8_t value);
  MessageBuilder& attribute_u32(std::uint16_t type, std::uint32_t value);
  MessageBuilder& attribute_text(std::uint16_t type, std::string_view value);
  /// Opens a nested attribute; close it with end(). Nesting may repeat.
  MessageBuilder& begin(std::uint16_t type);
  MessageBuilder& end();
  [[nodiscard]] NetlinkMessage take();

 private:
  /// The message, with so much more room behind it.
  nlmsghdr* with_room(std::size_t bytes);
  MessageBuilder& put(std::uint16_t type, const void* data, std::size_t bytes);

  NetlinkMessage bytes_;
  std::vector<std::size_t> open_;
};

/// Calls `each` for every attribute in `bytes`.
void for_each_attribute(
    std::span<const std::uint8_t> bytes,
    const std::function<void(std::uint16_t, std::span<const std::uint8_t>)>& each);

/// The part of a message behind the family header of `header_bytes`.
[[nodiscard]] std::span<const std::uint8_t> attributes_of(const nlmsghdr& message,
                                                          std::size_t header_bytes);

/// Sends a batch of which each message may be refused, and reads the answers. What keeps it from
/// being sent or answered is logged with `subject`.
void send_best_effort(NetlinkSocket& socket, std::string_view subject,
                      std::span<NetlinkMessage> batch);

}  // namespace hanet::net
