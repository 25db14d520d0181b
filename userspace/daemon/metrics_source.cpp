// SPDX-License-Identifier: Apache-2.0
//
// See metrics_source.h.
#include "daemon/metrics_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

namespace hanet::daemon {
namespace {

// Many events in a row are written together; the loop comes by at least every 50 ms.
constexpr Nanoseconds kWritingPause = std::chrono::milliseconds(20);

// Opened anew, because the right to write belongs to a descriptor and not to the file.
Result<Fd> reopen_to_read(const Fd& memory) {
  const std::string name = fmt::format("/proc/self/fd/{}", memory.get());
  Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, fmt::format("open {} to read it", name));
  return fd;
}

}  // namespace

Result<std::unique_ptr<MetricsSource>> MetricsSource::open(const Sources& sources) {
  std::unique_ptr<MetricsSource> source(new MetricsSource(sources));
  if (Status made = source->make_page(); !made) return pass_on(made);
  return source;
}

Status MetricsSource::make_page() {
  constexpr std::size_t kBytes = sizeof(report::MetricsPage);
  const Fd memory(::memfd_create("hanet-metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid() || ::ftruncate(memory.get(), static_cast<off_t>(kBytes)) != 0 ||
      ::fchmod(memory.get(), 0444) != 0)
    return errno_error(errno, "make the metrics page");
  Result<engine::Mapping> mapping = engine::Mapping::of(memory.get(), kBytes, true);
  if (!mapping) return pass_on(mapping);
  memory_ = std::move(*mapping);
  page_ = ::new (memory_.at()) report::MetricsPage{};
  report::begin(*page_);
  if (::fcntl(memory.get(), F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0)
    return errno_error(errno, "seal the metrics page");
  Result<Fd> fd = reopen_to_read(memory);
  if (!fd) return pass_on(fd);
  handed_out_ = std::move(*fd);
  return {};
}

MetricsSource::~MetricsSource() {
  if (page_ == nullptr) return;
  report::publish(*page_, report::Metrics{});
}

bool MetricsSource::hand_out(int client) const {
  std::string line = Json{{"ok", true},
                          {"version", HANET_VERSION},
                          {"layout", report::kMetricsLayout},
                          {"bytes", sizeof(report::MetricsPage)}}
                         .dump() +
                     "\n";
  iovec text{.iov_base = line.data(), .iov_len = line.size()};
  const int fd = handed_out_.get();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> ancillary{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  // Far less than a socket's buffer, so it is sent whole or not at all.
  return ::sendmsg(client, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
         static_cast<ssize_t>(line.size());
}

void MetricsSource::tick(const engine::Sender* sender, MonotonicTime now) {
  for (const auto& group : sources_.groups.all())
    book_.settle(group->view().index, group->view().config.name);
  book_.follow(sources_.history);
  book_.follow(sources_.engine);
  if (now < due_) return;
  due_ = now + kWritingPause;
  book_.begin_look();
  for (const auto& group : sources_.groups.all())
    book_.look(group->view(), sources_.engine, sender, now);
  for (const LateGroup& late : sources_.groups.late()) book_.look_at_late(late.config.name);
  report::publish(*page_, book_.finish_look(sources_.engine, now));
}

}  // namespace hanet::daemon
