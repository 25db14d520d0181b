// SPDX-License-Identifier: Apache-2.0
//
// Where a group's snapshot outlives hanetd: one file in the run directory, gone with the boot.
//
// A switchover must not wait for a file. So the snapshot is written when nothing is urgent, as a
// new file that takes the old one's place, and what a switchover has to say ("the identity is on
// its way to port 1") is one store into the first bytes, which are mapped into memory.
//
// Whoever can write this file decides what a root service configures, so only a regular file of the
// own user that nobody else may touch is read, and only if its checksum is right.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "snapshot/snapshot.h"

namespace hanet::snapshot {

/// The file's first bytes. Whatever is behind `checksum` changes while the file is in use.
struct SnapshotHead {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t unused;
  std::uint64_t bytes;      ///< of the text behind the head
  std::uint64_t checksum;   ///< of the text, FNV-1a
  std::uint64_t moving_to;  ///< port on the way to which the identity is, counted from 1; 0: none
  std::uint64_t ended_ns;   ///< when hanetd ended as it was asked to; 0: it did not
};
static_assert(sizeof(SnapshotHead) == 48);

/// What an earlier hanetd left.
struct KeptSnapshot {
  Snapshot snapshot;
  std::optional<std::size_t>
      moving_to;  ///< it died while it moved the identity to this port of `ports`
  std::optional<MonotonicTime> ended;  ///< it was asked to end
};

class SnapshotStore {
 public:
  SnapshotStore(const std::filesystem::path& directory, std::string group);

  /// What is kept of this boot and this network namespace; empty where nothing is. The error says
  /// why a file that is there is not used.
  [[nodiscard]] Result<std::optional<KeptSnapshot>> load() const;

  struct Unmap {
    void operator()(SnapshotHead* head) const;
  };
  using MappedHead = std::unique_ptr<SnapshotHead, Unmap>;

  /// Writes a snapshot beside the one that is kept, for as long as a full routing table takes: any
  /// one thread may do that.
  [[nodiscard]] Result<MappedHead> write(net::Identity identity,
                                         const std::vector<std::string>& ports,
                                         MonotonicTime now) const;
  /// What was written last takes the place of what is kept.
  [[nodiscard]] Status put_in_place(MappedHead written);
  /// Nothing is kept any more: what is there would be older than the identity.
  void drop();
  // Stores into memory; without effect where nothing is kept.
  void moves_to(std::size_t port);
  void moves_no_more();
  void ends(MonotonicTime now);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  void write_field(std::uint64_t SnapshotHead::* field, std::uint64_t value);

  std::filesystem::path file_;
  std::string group_;
  MappedHead head_;
};

/// The ports of every group that has a snapshot: they were there since the host was booted, so one
/// that is not there now was pulled. Says why a file that is there is not used.
[[nodiscard]] std::vector<std::string> kept_ports(const std::filesystem::path& directory,
                                                  std::span<const std::string> groups);

}  // namespace hanet::snapshot
