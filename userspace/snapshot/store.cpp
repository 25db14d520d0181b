// SPDX-License-Identifier: Apache-2.0
//
// See store.h.
#include "snapshot/store.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <atomic>
#include <cstring>

#include "core/log.h"
#include "core/private_file.h"
#include "snapshot/validity.h"

namespace hanet::snapshot {
namespace {

constexpr std::array<char, 8> kMagic{'h', 'a', 'n', 'e', 't', 's', 'n', 'p'};
constexpr std::uint32_t kVersion = 4;  // of the text: what an identity has
// Some 150 bytes for each route: more than a million of them.
constexpr std::size_t kMaxBytes = std::size_t{256} << 20;

Result<KeptSnapshot> unpack(std::string_view bytes) {
  SnapshotHead head{};
  if (bytes.size() < sizeof(head)) return failure("it is cut off");
  std::memcpy(&head, bytes.data(), sizeof(head));
  const std::string_view text = bytes.substr(sizeof(head));
  if (head.magic != kMagic || head.version != kVersion)
    return failure("it is of another version of hanet");
  if (head.bytes != text.size() || head.checksum != checksum(text)) return failure("it is damaged");
  std::optional<Snapshot> snapshot = parse_snapshot(text);
  if (!snapshot) return failure("it is damaged");
  KeptSnapshot kept{.snapshot = std::move(*snapshot), .moving_to = {}, .ended = {}};
  if (head.moving_to != 0) kept.moving_to = head.moving_to - 1;
  if (head.ended_ns != 0) kept.ended = from_kernel_ns(head.ended_ns);
  return kept;
}

}  // namespace

void SnapshotStore::Unmap::operator()(SnapshotHead* head) const { ::munmap(head, sizeof(*head)); }

SnapshotStore::SnapshotStore(const std::filesystem::path& directory, std::string group)
    : file_(directory / (group + ".snapshot")), group_(std::move(group)) {}

Result<std::optional<KeptSnapshot>> SnapshotStore::load() const {
  const auto unusable = [&](const std::string& why) {
    return failure(fmt::format("the snapshot {} is not used: {}", file_.string(), why));
  };
  const Result<std::optional<std::string>> bytes = read_private_file(file_, kMaxBytes);
  if (!bytes) return unusable(bytes.error().message);
  if (!*bytes) return std::nullopt;
  Result<KeptSnapshot> kept = unpack(**bytes);
  if (!kept) return unusable(kept.error().message);
  const Snapshot& snapshot = kept->snapshot;
  if (snapshot.group != group_) return unusable("it is of the group " + snapshot.group);
  if (snapshot.boot != boot_id()) return unusable("the host was booted since");
  if (snapshot.netns != own_netns()) return unusable("it is of another network namespace");
  return std::move(*kept);
}

Result<SnapshotStore::MappedHead> SnapshotStore::write(net::Identity identity,
                                                       const std::vector<std::string>& ports,
                                                       MonotonicTime now) const {
  const std::string text = to_text({.group = group_,
                                    .boot = boot_id(),
                                    .netns = own_netns(),
                                    .ports = ports,
                                    .taken_at = now,
                                    .identity = std::move(identity)});
  if (text.size() > kMaxBytes) return failure(fmt::format("it has {} bytes", text.size()));
  const SnapshotHead head{.magic = kMagic,
                          .version = kVersion,
                          .unused = 0,
                          .bytes = text.size(),
                          .checksum = checksum(text),
                          .moving_to = 0,
                          .ended_ns = 0};
  Result<Fd> fd = write_fresh(file_, {{reinterpret_cast<const char*>(&head), sizeof(head)}, text});
  if (!fd) return pass_on(fd);
  void* mapped = ::mmap(nullptr, sizeof(head), PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0);
  if (mapped == MAP_FAILED) return errno_error(errno, "map " + fresh_name(file_));
  MappedHead written(static_cast<SnapshotHead*>(mapped));
  // The page is there before a switchover needs it.
  std::atomic_ref<std::uint64_t>(written->moving_to).store(0);
  return written;
}

Status SnapshotStore::put_in_place(MappedHead written) {
  if (Status done = hanet::put_in_place(file_); !done) return done;
  head_ = std::move(written);
  return {};
}

void SnapshotStore::drop() {
  std::error_code ignored;  // there may be none
  std::filesystem::remove(file_, ignored);
  head_.reset();
}

std::vector<std::string> kept_ports(const std::filesystem::path& directory,
                                    std::span<const std::string> groups) {
  std::vector<std::string> ports;
  for (const std::string& group : groups) {
    const Result<std::optional<KeptSnapshot>> kept = SnapshotStore(directory, group).load();
    if (!kept) log::notice("{}: {}", group, kept.error().message);
    if (!kept || !*kept) continue;
    ports.insert(ports.end(), (*kept)->snapshot.ports.begin(), (*kept)->snapshot.ports.end());
  }
  return ports;
}

void SnapshotStore::write_field(std::uint64_t SnapshotHead::* field, std::uint64_t value) {
  if (head_) std::atomic_ref<std::uint64_t>((*head_).*field).store(value);
}

void SnapshotStore::moves_to(std::size_t port) { write_field(&SnapshotHead::moving_to, port + 1); }
void SnapshotStore::moves_no_more() { write_field(&SnapshotHead::moving_to, 0); }
void SnapshotStore::ends(MonotonicTime now) {
  write_field(&SnapshotHead::ended_ns, static_cast<std::uint64_t>(now.time_since_epoch().count()));
}

}  // namespace hanet::snapshot
