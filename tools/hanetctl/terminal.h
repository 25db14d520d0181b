// SPDX-License-Identifier: Apache-2.0
//
// The same text where a person looks at it: as wide as the terminal, and with colour on what needs
// attention. A pipe or a file gets the text as it is, so that what is searched for stays in its
// line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hanet::ctl {

struct Terminal {
  std::size_t columns = 0;  ///< 0: no line is too long
  bool has_colour = false;  ///< no-color.org and TERM=dumb are respected
};

/// What a descriptor leads to.
[[nodiscard]] Terminal terminal_of(int descriptor);

/// Lines that are too long go on below their value. A word that is longer than a line stays whole,
/// so that an address can be copied.
[[nodiscard]] std::string shown_on(const Terminal& terminal, std::string_view text);

}  // namespace hanet::ctl
