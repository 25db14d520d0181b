// SPDX-License-Identifier: Apache-2.0
//
// Files that hanetd writes for the next hanetd.
//
// Whoever can write such a file decides what a root service believes. So only a regular file of the
// own user that nobody else may touch is read, and never by a symbolic link. It is written as a new
// file that takes the old one's place, so that a reader finds the old one or the new one, whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/fd.h"
#include "core/result.h"

namespace hanet {

/// Empty where there is none. The error says why one that is there is not used, without its name.
[[nodiscard]] Result<std::optional<std::string>> read_private_file(
    const std::filesystem::path& file, std::size_t max_bytes);

/// What becomes `file` by put_in_place().
[[nodiscard]] std::string fresh_name(const std::filesystem::path& file);
/// Writes the parts to a new file of that name, open for reading and writing.
[[nodiscard]] Result<Fd> write_fresh(const std::filesystem::path& file,
                                     std::initializer_list<std::string_view> parts);
[[nodiscard]] Status put_in_place(const std::filesystem::path& file);

/// FNV-1a: it has to find a torn file, not a forged one.
[[nodiscard]] std::uint64_t checksum(std::string_view bytes);

}  // namespace hanet
