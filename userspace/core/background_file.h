// SPDX-License-Identifier: Apache-2.0
//
// A file that is written by a thread of its own.
//
// A disk may take seconds for what is asked of it, and a file server that is gone takes for ever.
// Neither may stop who guards the network. So a content is handed over; the thread writes the last
// one, whole, as a file that takes the old one's place and is on the disk before it does.
//
// Threading: one thread may call it.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/result.h"

namespace hanet {

class BackgroundFile {
 public:
  using Write =
      std::function<Status(const std::filesystem::path& file, const std::string& content)>;

  /// `write`: tests have others than write_durably().
  explicit BackgroundFile(std::filesystem::path file, Write write);
  explicit BackgroundFile(std::filesystem::path file);
  BackgroundFile(const BackgroundFile&) = delete;
  BackgroundFile& operator=(const BackgroundFile&) = delete;
  /// A thread that is stuck is left behind; it ends with the process.
  ~BackgroundFile() = default;

  /// Takes the place of a content that waits to be written. Never waits for a disk. The error says
  /// why there is no thread; it is tried again with the next content.
  [[nodiscard]] Status write(std::string content);
  /// Waits until everything is written, or has failed. False: not within `limit`.
  [[nodiscard]] bool wait(std::chrono::milliseconds limit) const;
  /// What went wrong with the last one that was tried, once. Never waits: while the thread is at it
  /// there is nothing to tell.
  [[nodiscard]] std::optional<Error> take_failure();

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  struct Shared;
  std::filesystem::path file_;
  std::shared_ptr<Shared> shared_;
};

/// Writes a private file (private_file.h) that is on the disk, in the old one's place.
[[nodiscard]] Status write_durably(const std::filesystem::path& file, const std::string& content);
/// Has what was named and removed in it on the disk.
[[nodiscard]] Status sync_directory(const std::filesystem::path& directory);

}  // namespace hanet
