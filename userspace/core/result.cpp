// SPDX-License-Identifier: Apache-2.0
//
// The text half of Error: see result.h for why errors are values here.
#include "core/result.h"

#include <fmt/format.h>

#include <system_error>

namespace hanet {

std::unexpected<Error> errno_error(int code, std::string_view operation) {
  const int positive = code < 0 ? -code : code;
  return std::unexpected(Error{
      .code = positive,
      .message = fmt::format("{}: {}", operation, std::generic_category().message(positive))});
}

}  // namespace hanet
