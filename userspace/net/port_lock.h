// SPDX-License-Identifier: Apache-2.0
//
// One hanetd per port.
//
// The lock is a locked file in a directory that only root can write to, named by the network
// namespace and the interface: the kernel gives it up with its process, and nobody else can take it
// to keep hanetd from starting. A container has the host's network but another /run; so there is an
// abstract unix socket as well, which belongs to the network namespace. Anybody can take that name,
// so it counts only if root holds it. Who asks that connects; the owner lets all of them go now and
// then, because a queue that is full tells nobody who holds it.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::net {

class PortLock {
 public:
  /// Takes the lock of one interface in the caller's network namespace, or says who has it.
  [[nodiscard]] static Result<PortLock> take(const std::string& interface);
  /// The same for a run or pin directory: two instances must not remove each other's files.
  [[nodiscard]] static Result<PortLock> take_directory(const std::string& directory);

  /// Lets those go who have asked who holds it. Never waits.
  void let_go() const;

  PortLock(PortLock&&) = default;
  PortLock& operator=(PortLock&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(path_, other.path_);
    std::swap(name_, other.name_);
    return *this;
  }
  PortLock(const PortLock&) = delete;
  PortLock& operator=(const PortLock&) = delete;
  ~PortLock();

 private:
  /// `subject` is for people, `key` for names of files and sockets.
  [[nodiscard]] static Result<PortLock> take(const std::string& kind, const std::string& subject,
                                             const std::string& key);
  PortLock(Fd file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}

  Fd file_;  // invalid: there is no place for files
  std::filesystem::path path_;
  Fd name_;  // the abstract socket; invalid: somebody else has the name
};

}  // namespace hanet::net
