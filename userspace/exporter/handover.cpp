// SPDX-License-Identifier: Apache-2.0
//
// See handover.h.
#include "exporter/handover.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/json.h"
#include "report/metrics_page.h"

namespace hanet::exporter {
namespace {

constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};
constexpr std::string_view kRequest = "{\"command\":\"metrics\"}\n";

struct Answer {
  std::string line;
  Fd descriptor;
};

Result<Fd> connect_to(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof(address.sun_path))
    return failure(fmt::format("{}: too long for a socket; choose a shorter --run-dir", path));
  std::ranges::copy(path, address.sun_path);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const int limit : {SO_SNDTIMEO, SO_RCVTIMEO})  // connect(2) keeps to the first of them
    ::setsockopt(fd.get(), SOL_SOCKET, limit, &kPatience, sizeof(kPatience));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return errno_error(errno, fmt::format("connect to hanetd at {}", path));
  return fd;
}

void take_descriptor(msghdr& message, Fd& descriptor) {
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int)))
    return;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  descriptor.reset(fd);
}

Result<Answer> read_answer(const Fd& fd) {
  Answer answer;
  while (!answer.line.ends_with('\n')) {
    std::array<char, 4096> buffer;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> ancillary;
    iovec text{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.data();
    message.msg_controllen = ancillary.size();
    const ssize_t got = ::recvmsg(fd.get(), &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EAGAIN) return errno_error(ETIMEDOUT, "hanetd does not answer");
    if (got < 0) return errno_error(errno, "read from hanetd");
    if (got == 0) return errno_error(ECONNRESET, "hanetd closed the connection");
    take_descriptor(message, answer.descriptor);
    answer.line.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return answer;
}

// A reader with another layout would show nonsense, with nobody to notice.
Status check_layout(const Json& told) {
  if (told.value("layout", 0U) == report::kMetricsLayout &&
      told.value("bytes", 0U) == sizeof(report::MetricsPage))
    return {};
  return failure(
      fmt::format("hanetd {} keeps its counters in another way than hanet-exporter {} "
                  "knows: install the same version of both and restart them",
                  told.value("version", "?"), HANET_VERSION));
}

Result<Handover> understand(Answer answer) {
  const Json told = Json::parse(answer.line, nullptr, false);
  if (!told.is_object()) return failure("hanetd answered something that is not JSON");
  try {
    if (!told.value("ok", false))
      return failure(fmt::format("hanetd hands out no counters: {}",
                                 told.value("error", "it does not say why")));
    if (Status same = check_layout(told); !same) return pass_on(same);
    if (!answer.descriptor.valid())
      return failure("hanetd's descriptor did not arrive: is the limit of open files reached?");
    return Handover{
        .version = told.value("version", "?"), .page = std::move(answer.descriptor), .ended = {}};
  } catch (const Json::exception& wrong) {
    return failure(fmt::format("hanetd's answer is malformed: {}", wrong.what()));
  }
}

// Of another process namespace the kernel says 0.
Fd process_at(const Fd& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid == 0)
    return {};
  // <sys/pidfd.h> of glibc 2.36 is not for C++
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
}

}  // namespace

Result<Handover> ask_hanetd(const std::filesystem::path& socket) {
  Result<Fd> fd = connect_to(socket);
  if (!fd) return pass_on(fd);
  Fd ended = process_at(*fd);  // before the answer: who answers lives then
  if (::send(fd->get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(kRequest.size()))
    return errno_error(errno, "write to hanetd");
  Result<Answer> answer = read_answer(*fd);
  if (!answer) return pass_on(answer);
  Result<Handover> handover = understand(std::move(*answer));
  if (handover) handover->ended = std::move(ended);
  return handover;
}

}  // namespace hanet::exporter
