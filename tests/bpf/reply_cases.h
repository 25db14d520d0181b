// SPDX-License-Identifier: Apache-2.0
//
// The packet table: one reply, one change, one outcome (M1, D6).
//
// The table is data; reply_test.cpp plays it through both programs that look for replies.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "scene.h"

namespace hanet::bpf_test {

/// What becomes of a frame, beside the reasons of enum hanet_reject.
inline constexpr int kCounts = HANET_REJECT_COUNT;  // it is a reply: used up
inline constexpr int kNotOurs = -1;                 // passed without a look: nothing is counted

/// `change` gets a valid reply to request 4, while 5 were sent and 2 are answered.
struct ReplyCase {
  std::string name;
  Beat beat;
  int outcome;
  std::function<void(net::Frame&)> change;
};
inline void PrintTo(const ReplyCase& one, std::ostream* out) { *out << one.name; }

[[nodiscard]] std::vector<ReplyCase> valid_cases();
[[nodiscard]] std::vector<ReplyCase> shape_cases();     // tags, fragments, options, other protocols
[[nodiscard]] std::vector<ReplyCase> identity_cases();  // cookies, sessions, sources, sequences

}  // namespace hanet::bpf_test
