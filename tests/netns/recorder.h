// SPDX-License-Identifier: Apache-2.0
//
// Every rtnetlink message of a namespace, kept for questions.
//
// The observer (observer.h) knows what must never be seen; a recorder is asked by a test what was
// seen, message by message, so that "nothing was lost in between" is more than two equal pictures.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "netns/rtnetlink.h"

namespace hanet::test {

class Recorder {
 public:
  /// Records from now on. Throws when it can not.
  explicit Recorder(const std::string& netns);

  /// What `describe` says of each message since then, where it says anything. A line of its own
  /// tells that messages were lost, because then nothing is proved.
  using Describe = std::function<std::string(const nlmsghdr&)>;
  [[nodiscard]] std::vector<std::string> lines(const Describe& describe);

 private:
  Rtnetlink rtnetlink_;
  std::vector<std::vector<std::uint8_t>> messages_;
  bool complete_ = true;
};

}  // namespace hanet::test
