// SPDX-License-Identifier: Apache-2.0
//
// HTTP GET inside a namespace, and what a scrape says.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace hanet::test {

struct Response {
  int status = 0;  ///< 0: nobody answered
  std::string head;
  std::string body;
};

/// At 127.0.0.1. `target` begins with a slash; `head`: further lines, each with its line end.
[[nodiscard]] Response http_get(const std::string& netns, std::uint16_t port,
                                const std::string& target, const std::string& head = {});
/// As `query` in an address.
[[nodiscard]] std::string percent_encoded(const std::string& text);

/// Every sample, by its name and labels as they are written.
using Samples = std::map<std::string, double>;
[[nodiscard]] Samples samples_of(const std::string& text);

}  // namespace hanet::test
