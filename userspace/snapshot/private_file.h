// SPDX-License-Identifier: Apache-2.0
//
// Files that only hanetd writes and reads, and what they are true for.
//
// Whoever can write such a file decides what a root service does, so only a regular file of the own
// user that nobody else may touch is read. What it says is true for one boot and one network
// namespace only: interface numbers mean nothing in another.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::snapshot {

[[nodiscard]] std::string boot_id();
/// e.g. "net:[4026531840]"
[[nodiscard]] std::string own_netns();

/// ENOENT: there is none. The error says why one that is there is not used.
[[nodiscard]] Result<std::string> read_private_file(const std::filesystem::path& path);
/// An empty one; one that is there is removed.
[[nodiscard]] Result<Fd> create_private_file(const std::filesystem::path& path);
[[nodiscard]] Status write_all(int fd, std::string_view bytes);
/// Puts a whole file in the place of the one that is there.
[[nodiscard]] Status replace_private_file(const std::filesystem::path& path, std::string_view text);

}  // namespace hanet::snapshot
