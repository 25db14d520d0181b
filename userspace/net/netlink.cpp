// SPDX-License-Identifier: Apache-2.0
//
// See netlink.h.
#include "net/netlink.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

#include "core/log.h"

namespace hanet::net {
namespace {

constexpr int kBufferBytes = 8 * 1024 * 1024;
constexpr std::size_t kReceiveBytes = 64 * 1024;
// A failure comes with the message that failed unless it is told not to (NETLINK_CAP_ACK).
constexpr std::size_t kAnswerBytes = 8 * 1024;

// Everything the kernel may append to an error since 4.12 (NETLINK_EXT_ACK).
Acknowledgement read_acknowledgement(const nlmsghdr& message) {
  const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
  Acknowledgement result{.code = -error->error, .message = {}};
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return result;
  std::size_t offset = sizeof(*error);
  if ((message.nlmsg_flags & NLM_F_CAPPED) == 0) offset += error->msg.nlmsg_len - sizeof(nlmsghdr);
  for_each_attribute(
      attributes_of(message, offset), [&](std::uint16_t type, std::span<const std::uint8_t> value) {
        if (type == NLMSGERR_ATTR_MSG && !value.empty())
          result.message.assign(reinterpret_cast<const char*>(value.data()), value.size() - 1);
      });
  return result;
}

// The kernel answers within the system call; what is missing after a second was dropped for want of
// buffer space and will never come.
constexpr int kPatience = 1000;  // milliseconds

ssize_t receive_within(int fd, std::span<std::uint8_t> buffer, int milliseconds) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&wait, 1, milliseconds);
  if (ready == 0) errno = ETIMEDOUT;
  return ready <= 0 ? -1 : ::recv(fd, buffer.data(), buffer.size(), 0);
}

// Splits a receive buffer into messages; returns false when the handler wants no more. Not with
// mnl_cb_run(), which stops at NLM_F_DUMP_INTR: the end of such a dump lies in what it leaves
// unread.
template <typename Handler>
bool for_each_message(std::span<const std::uint8_t> bytes, const Handler& handler) {
  int left = static_cast<int>(bytes.size());
  const auto* message = reinterpret_cast<const nlmsghdr*>(bytes.data());
  for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
    if (!handler(*message)) return false;
  return true;
}

}  // namespace

Result<NetlinkSocket> NetlinkSocket::open(unsigned groups) {
  NetlinkSocket socket;
  socket.fd_.reset(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (groups ? SOCK_NONBLOCK : 0), NETLINK_ROUTE));
  if (!socket.fd_.valid()) return errno_error(errno, "open an rtnetlink socket");
  const int fd = socket.fd_.get();
  for (const int option : {SO_SNDBUFFORCE, SO_RCVBUFFORCE})
    ::setsockopt(fd, SOL_SOCKET, option, &kBufferBytes, sizeof(kBufferBytes));
  const int on = 1;
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK})
    ::setsockopt(fd, SOL_NETLINK, option, &on, sizeof(on));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return errno_error(errno, "bind an rtnetlink socket");
  socklen_t size = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return errno_error(errno, "read the number of an rtnetlink socket");
  socket.port_id_ = address.nl_pid;
  return socket;
}

Status NetlinkSocket::dump(NetlinkMessage request, const MessageHandler& handler) {
  constexpr int kAttempts = 5;
  std::vector<std::uint8_t> messages;
  Status done;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    messages.clear();
    done = ask(request, NLM_F_DUMP, [&](const nlmsghdr& message) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(&message);
      messages.insert(messages.end(), bytes, bytes + message.nlmsg_len);
      messages.resize(MNL_ALIGN(messages.size()));
    });
    if (done || done.error().code != EINTR) break;
  }
  if (!done) return done;
  for_each_message(messages, [&](const nlmsghdr& message) {
    handler(message);
    return true;
  });
  return {};
}

Status NetlinkSocket::get(NetlinkMessage request, const MessageHandler& handler) {
  return ask(request, NLM_F_ACK, handler);
}

// The end is NLMSG_DONE after a dump, and an acknowledgement after one object.
Status NetlinkSocket::ask(NetlinkMessage& request, std::uint16_t flags,
                          const MessageHandler& handler) {
  auto* header = reinterpret_cast<nlmsghdr*>(request.data());
  header->nlmsg_flags = NLM_F_REQUEST | flags;
  header->nlmsg_seq = ++sequence_;
  awaited_from_ = answered_ = asked_ = sequence_;
  if (::send(fd_.get(), request.data(), request.size(), 0) < 0)
    return errno_error(errno, "ask rtnetlink");
  std::vector<std::uint8_t> buffer(kReceiveBytes);
  int failed = 0;
  for (bool more = true; more;) {
    if (gives_up()) return errno_error(ECANCELED, "read from rtnetlink");
    const ssize_t got = receive_within(fd_.get(), buffer, kPatience);
    if (got < 0) return errno_error(errno, "read an answer of rtnetlink");
    more = for_each_message(std::span(buffer).first(static_cast<std::size_t>(got)),
                            [&](const nlmsghdr& message) {
                              if (message.nlmsg_seq != sequence_) return true;
                              // Something changed meanwhile: what was read is no truth.
                              if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) failed = EINTR;
                              if (message.nlmsg_type == NLMSG_DONE) return false;
                              if (message.nlmsg_type == NLMSG_ERROR) {
                                failed = read_acknowledgement(message).code;
                                return false;
                              }
                              handler(message);
                              return true;
                            });
  }
  if (failed != 0) return errno_error(failed, "read from rtnetlink");
  return {};
}

Status NetlinkSocket::send(std::span<NetlinkMessage> batch) {
  while (!batch.empty()) {
    const auto chunk = batch.first(std::min(batch.size(), kChunk));
    if (Status sent = send_chunk(chunk); !sent) {
      refuse_unsent(batch.size(), sent.error().code);
      return sent;
    }
    batch = batch.subspan(chunk.size());
    if (batch.empty()) break;
    if (const int code = read_answers(false); code != 0) trouble_ = code;
    if (!gives_up()) continue;
    refuse_unsent(batch.size(), ECANCELED);
    return errno_error(ECANCELED, fmt::format("send the last {} rtnetlink messages", batch.size()));
  }
  return {};
}

Status NetlinkSocket::send_chunk(std::span<NetlinkMessage> chunk) {
  gather_.clear();
  std::uint32_t number = sequence_;
  for (NetlinkMessage& message : chunk) {
    auto* header = reinterpret_cast<nlmsghdr*>(message.data());
    const int ack = &message == &chunk.back() ? NLM_F_ACK : 0;
    header->nlmsg_flags =
        static_cast<std::uint16_t>((header->nlmsg_flags & ~NLM_F_ACK) | NLM_F_REQUEST | ack);
    header->nlmsg_seq = ++number;
    gather_.insert(gather_.end(), message.begin(), message.end());
    gather_.resize(MNL_ALIGN(gather_.size()));
  }
  if (::send(fd_.get(), gather_.data(), gather_.size(), 0) < 0)
    return errno_error(errno, fmt::format("send {} rtnetlink messages", chunk.size()));
  sequence_ = asked_ = number;
  return {};
}

void NetlinkSocket::refuse_unsent(std::size_t messages, int code) {
  for (std::size_t i = 0; i < messages; ++i)
    failures_.push_back({++sequence_, {.code = code, .message = {}}});
}

int NetlinkSocket::read_answers(bool wait) {
  std::array<std::uint8_t, kAnswerBytes> buffer;
  const auto is_behind = [](std::uint32_t one, std::uint32_t other) {
    return static_cast<std::int32_t>(one - other) > 0;
  };
  while (is_behind(asked_, answered_)) {
    const ssize_t got = receive_within(fd_.get(), buffer, wait ? kPatience : 0);
    if (got < 0) return !wait && errno == ETIMEDOUT ? 0 : errno;
    for_each_message(
        std::span(buffer).first(static_cast<std::size_t>(got)), [&](const nlmsghdr& message) {
          if (message.nlmsg_type != NLMSG_ERROR || !is_behind(message.nlmsg_seq, answered_))
            return true;
          answered_ = message.nlmsg_seq;
          Acknowledgement answer = read_acknowledgement(message);
          if (answer.code != 0) failures_.emplace_back(answered_, std::move(answer));
          return true;
        });
  }
  return 0;
}

Result<std::vector<Acknowledgement>> NetlinkSocket::collect() {
  // Behind an overflow the rest waits all the same.
  if (const int code = read_answers(true); code != 0) trouble_ = code;
  if (trouble_ == ENOBUFS) static_cast<void>(read_answers(true));
  answered_ = sequence_;  // whatever is still to come comes too late
  std::vector<Acknowledgement> results(sequence_ - awaited_from_);
  for (auto& [number, answer] : std::exchange(failures_, {}))
    results[number - awaited_from_ - 1] = std::move(answer);
  awaited_from_ = sequence_;
  if (const int code = std::exchange(trouble_, 0); code != 0)
    return errno_error(code, "read what rtnetlink answers");
  return results;
}

Status NetlinkSocket::request(NetlinkMessage message, std::string_view operation) {
  const Status sent = send(std::span(&message, 1));
  Result<std::vector<Acknowledgement>> answers = collect();
  if (!sent) return sent;
  if (!answers) return pass_on(answers);
  const Acknowledgement& answer = answers->front();
  if (answer.code == 0) return {};
  if (answer.message.empty()) return errno_error(answer.code, operation);
  return errno_error(answer.code, fmt::format("{} ({})", operation, answer.message));
}

Result<bool> NetlinkSocket::read_notifications(const MessageHandler& handler) {
  std::array<std::uint8_t, kReceiveBytes> buffer;
  bool complete = true;
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == ENOBUFS) {
      complete = false;
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return complete;
    if (got < 0) return errno_error(errno, "read rtnetlink notifications");
    for_each_message(std::span(buffer).first(static_cast<std::size_t>(got)),
                     [&](const nlmsghdr& message) {
                       handler(message);
                       return true;
                     });
  }
}

MessageBuilder::MessageBuilder(std::uint16_t type, std::uint16_t flags, std::size_t room) {
  bytes_.reserve(MNL_NLMSG_HDRLEN + room);
  bytes_.resize(MNL_NLMSG_HDRLEN);
  nlmsghdr* message = mnl_nlmsg_put_header(bytes_.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = flags;
}

nlmsghdr* MessageBuilder::with_room(std::size_t bytes) {
  bytes_.resize(bytes_.size() + MNL_ALIGN(bytes));
  return reinterpret_cast<nlmsghdr*>(bytes_.data());
}

MessageBuilder& MessageBuilder::header_bytes(std::span<const std::uint8_t> bytes) {
  void* room = mnl_nlmsg_put_extra_header(with_room(bytes.size()), bytes.size());
  std::memcpy(room, bytes.data(), bytes.size());
  return *this;
}

MessageBuilder& MessageBuilder::put(std::uint16_t type, const void* data, std::size_t bytes) {
  mnl_attr_put(with_room(MNL_ATTR_HDRLEN + bytes), type, bytes, data);
  return *this;
}

MessageBuilder& MessageBuilder::attribute(std::uint16_t type, std::span<const std::uint8_t> value) {
  // libmnl copies from no null pointer, not even nothing.
  return put(type, value.empty() ? bytes_.data() : value.data(), value.size());
}

MessageBuilder& MessageBuilder::attribute_u8(std::uint16_t type, std::uint8_t value) {
  return put(type, &value, sizeof(value));
}

MessageBuilder& MessageBuilder::attribute_u32(std::uint16_t type, std::uint32_t value) {
  return put(type, &value, sizeof(value));
}

MessageBuilder& MessageBuilder::attribute_text(std::uint16_t type, std::string_view value) {
  const std::string with_nul(value);
  return put(type, with_nul.c_str(), with_nul.size() + 1);
}

MessageBuilder& MessageBuilder::begin(std::uint16_t type) {
  open_.push_back(bytes_.size());
  mnl_attr_nest_start(with_room(MNL_ATTR_HDRLEN), type);
  return *this;
}

MessageBuilder& MessageBuilder::end() {
  auto* nested = reinterpret_cast<nlattr*>(bytes_.data() + open_.back());
  open_.pop_back();
  mnl_attr_nest_end(reinterpret_cast<nlmsghdr*>(bytes_.data()), nested);
  return *this;
}

NetlinkMessage MessageBuilder::take() { return std::move(bytes_); }

void for_each_attribute(
    std::span<const std::uint8_t> bytes,
    const std::function<void(std::uint16_t, std::span<const std::uint8_t>)>& each) {
  using Each = std::remove_cvref_t<decltype(each)>;
  const auto hand_over = [](const nlattr* attribute, void* data) -> int {
    const auto* value = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
    (*static_cast<const Each*>(data))(mnl_attr_get_type(attribute),
                                      std::span(value, mnl_attr_get_payload_len(attribute)));
    return MNL_CB_OK;
  };
  mnl_attr_parse_payload(bytes.data(), bytes.size(), hand_over, const_cast<Each*>(&each));
}

std::span<const std::uint8_t> attributes_of(const nlmsghdr& message, std::size_t header_bytes) {
  const auto* payload = static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload(&message));
  const std::size_t total = mnl_nlmsg_get_payload_len(&message);
  const std::size_t skip = std::min(MNL_ALIGN(header_bytes), total);
  return std::span(payload + skip, total - skip);
}

void send_best_effort(NetlinkSocket& socket, std::string_view subject,
                      std::span<NetlinkMessage> batch) {
  Status sent = socket.send(batch);
  if (const auto answers = socket.collect(); sent && !answers)
    sent = std::unexpected(answers.error());
  if (!sent) log::warning("{}: {}", subject, sent.error().message);
}

}  // namespace hanet::net
