// SPDX-License-Identifier: Apache-2.0
//
// What a group has found that a person should know while it lasts (spec F13, F14).
#pragma once

#include <string>

namespace hanet::group {

struct Finding {
  std::string port;      ///< the interface that it is about
  std::string text;      ///< what is so, and what to do about it; the same text is the same finding
  bool is_loss = false;  ///< a part of the identity is missing, or would be after a switchover
  bool operator==(const Finding&) const = default;
};

}  // namespace hanet::group
