// SPDX-License-Identifier: Apache-2.0
//
// Is this text UTF-8?
//
// TOML is UTF-8 by definition. The check is made here rather than left to the TOML parser, because
// a file in another encoding deserves a message that says so, with the byte and its place.
#pragma once

#include <cstddef>
#include <string_view>

namespace hanet::config {

/// The offset of the first sequence that is not well-formed UTF-8 (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF), or npos.
[[nodiscard]] std::size_t first_invalid_utf8(std::string_view text);

}  // namespace hanet::config
