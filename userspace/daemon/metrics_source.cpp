// SPDX-License-Identifier: Apache-2.0
//
// See metrics_source.h.
#include "daemon/metrics_source.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace hanet::daemon {
namespace {

// Many events in a row are written together; the loop comes by at least every 50 ms.
constexpr Nanoseconds kPause = std::chrono::milliseconds(20);

// Without BPF_F_RDONLY a descriptor of a map can be written through.
Result<Fd> open_to_read(const std::filesystem::path& pin) {
  struct bpf_obj_get_opts options{};  // a function has the same name
  options.sz = sizeof options;
  options.file_flags = BPF_F_RDONLY;
  Fd fd(bpf_obj_get_opts(pin.c_str(), &options));
  if (!fd.valid()) return errno_error(errno, fmt::format("open {} to read it", pin.string()));
  return fd;
}

// Opened anew, because the right to write belongs to a descriptor and not to the file.
Result<Fd> reopen_to_read(const Fd& memory) {
  const std::string name = fmt::format("/proc/self/fd/{}", memory.get());
  Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, fmt::format("open {} to read it", name));
  return fd;
}

}  // namespace

Result<std::unique_ptr<MetricsSource>> MetricsSource::open(
    const std::filesystem::path& pin_directory, const Sources& sources) {
  std::unique_ptr<MetricsSource> source(new MetricsSource(sources));
  if (Status made = source->make_page(); !made) return pass_on(made);
  if (Status opened = source->open_maps(pin_directory); !opened) return pass_on(opened);
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
  handed_out_[0] = {.name = "page", .bytes = kBytes, .fd = std::move(*fd)};
  return {};
}

Status MetricsSource::open_maps(const std::filesystem::path& pin_directory) {
  handed_out_[1] = {
      .name = "sessions", .bytes = sizeof(hanet_session) * HANET_MAX_SESSIONS, .fd = {}};
  handed_out_[2] = {.name = "ports", .bytes = sizeof(hanet_port) * HANET_MAX_PORTS, .fd = {}};
  handed_out_[3] = {.name = "engine", .bytes = sizeof(hanet_engine), .fd = {}};
  for (HandedOut& map : std::span(handed_out_).subspan(1)) {
    Result<Fd> fd = open_to_read(pin_directory / map.name);
    if (!fd) return pass_on(fd);
    map.fd = std::move(*fd);
  }
  return {};
}

MetricsSource::~MetricsSource() {
  if (page_ == nullptr) return;
  report::publish(*page_, report::Metrics{});
}

bool MetricsSource::hand_out(int client) const {
  Json descriptors = Json::array();
  for (const HandedOut& each : handed_out_)
    descriptors.push_back({{"name", each.name}, {"bytes", each.bytes}});
  std::string line =
      Json{{"ok", true}, {"version", HANET_VERSION}, {"descriptors", std::move(descriptors)}}
          .dump() +
      "\n";
  iovec text{.iov_base = line.data(), .iov_len = line.size()};
  alignas(cmsghdr)
      std::array<char, CMSG_SPACE(sizeof(int) * std::tuple_size_v<decltype(handed_out_)>)>
          ancillary{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * handed_out_.size());
  unsigned char* at = CMSG_DATA(header);
  for (const HandedOut& each : handed_out_) {
    const int fd = each.fd.get();
    std::memcpy(at, &fd, sizeof fd);
    at += sizeof fd;
  }
  // Far less than a socket's buffer, so it is sent whole or not at all.
  return ::sendmsg(client, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
         static_cast<ssize_t>(line.size());
}

void MetricsSource::tick(const engine::Sender* sender, MonotonicTime now) {
  book_.follow(sources_.history);
  book_.follow(sources_.engine);
  if (now < due_) return;
  due_ = now + kPause;
  book_.forget_paths();
  for (const auto& group : sources_.groups) book_.look(group->view(), sources_.engine, sender, now);
  report::publish(*page_, book_.finish(now));
}

}  // namespace hanet::daemon
