// SPDX-License-Identifier: Apache-2.0
//
// See background_file.h. The thread lives as long as there is something to write.
#include "core/background_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "core/priority.h"
#include "core/private_file.h"
#include "core/thread.h"

namespace hanet {

/// Outlives the object for as long as a thread is stuck.
struct BackgroundFile::Shared {
  std::filesystem::path file;
  Write write;
  std::mutex mutex{};
  std::condition_variable is_done{};
  std::optional<std::string> next{};
  std::optional<Error> failed{};
  bool is_writing = false;

  void run();
};

void BackgroundFile::Shared::run() {
  become_ordinary();
  std::unique_lock lock(mutex);
  while (next) {
    const std::string content = *std::exchange(next, std::nullopt);
    lock.unlock();
    const Status written = write(file, content);
    lock.lock();
    failed = written ? std::nullopt : std::optional(written.error());
  }
  is_writing = false;
  is_done.notify_all();
}

BackgroundFile::BackgroundFile(std::filesystem::path file, Write write)
    : file_(std::move(file)), shared_(new Shared{.file = file_, .write = std::move(write)}) {}

BackgroundFile::BackgroundFile(std::filesystem::path file)
    : BackgroundFile(std::move(file), write_durably) {}

Status BackgroundFile::write(std::string content) {
  const std::lock_guard lock(shared_->mutex);
  shared_->next = std::move(content);
  if (shared_->is_writing) return {};
  Result<std::thread> thread =
      start_thread("that writes " + file_.string(), [shared = shared_] { shared->run(); });
  if (!thread) return pass_on(thread);
  thread->detach();
  shared_->is_writing = true;
  return {};
}

bool BackgroundFile::wait(std::chrono::milliseconds limit) const {
  std::unique_lock lock(shared_->mutex);
  return shared_->is_done.wait_for(lock, limit, [&] { return !shared_->is_writing; });
}

std::optional<Error> BackgroundFile::take_failure() {
  const std::unique_lock lock(shared_->mutex, std::try_to_lock);
  return lock ? std::exchange(shared_->failed, std::nullopt) : std::nullopt;
}

Status write_durably(const std::filesystem::path& file, const std::string& content) {
  const Result<Fd> fd = write_fresh(file, {content});
  if (!fd) return std::unexpected(fd.error());
  if (::fsync(fd->get()) != 0) return errno_error(errno, "write to the disk " + fresh_name(file));
  if (Status placed = put_in_place(file); !placed) return placed;
  return sync_directory(file.parent_path());
}

Status sync_directory(const std::filesystem::path& directory) {
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0)
    return errno_error(errno, "write to the disk " + directory.string());
  return {};
}

}  // namespace hanet
