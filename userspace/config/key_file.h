// SPDX-License-Identifier: Apache-2.0
//
// The keys of a group's heartbeats (spec S3), from a file of their own.
//
// Not in the configuration: that is read by people and programs who must not know a key, and a
// reload keeps copies of it. So the file must be root's alone, and no message shows any of it: a
// key is called by its id, which tells nothing of it and is the same at both ends.
//
// Thread-safe.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "hanet/abi.h"

namespace hanet::config {

/// Reads a file of 1 or 2 keys, one in a line of 32 hexadecimal digits; requests are signed with
/// the first. Lines that are empty or begin with '#' are skipped. The error has one line for each
/// mistake: "FILE:LINE: found WHAT, allowed: WHAT".
[[nodiscard]] Result<std::vector<hanet_key>> load_key_file(const std::filesystem::path& file);

/// The same for text in memory; `name` stands for the file name in messages.
[[nodiscard]] Result<std::vector<hanet_key>> parse_keys(std::string_view text,
                                                        std::string_view name);

/// What is wrong with a key file of this owner and mode ("mode 0644"); empty: nothing.
[[nodiscard]] std::string why_not_secret(uid_t owner, mode_t mode);

/// "1a2b3c4d": what a key is called in reports and messages.
[[nodiscard]] std::string key_name(const hanet_key& key);

}  // namespace hanet::config
