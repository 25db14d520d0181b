// SPDX-License-Identifier: Apache-2.0
//
// Configuration: any text is read or refused, and a refusal says where (O2).
#include <cstdlib>
#include <string_view>

#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = hanet::config::parse(text, "fuzz.toml");
  // Whoever wrote the file has to find the place.
  if (!parsed && !parsed.error().message.starts_with("fuzz.toml")) std::abort();
  return 0;
}
