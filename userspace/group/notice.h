// SPDX-License-Identifier: Apache-2.0
//
// What a group tells the world while it works.
#pragma once

#include <chrono>
#include <string>

#include "core/clock.h"

namespace hanet::group {

/// One line for people, one object for programs.
struct Notice {
  MonotonicTime at{};
  std::chrono::system_clock::time_point wall_time;
  std::string event;  ///< "path-down", "path-up", "switchover", "alarm" ...
  std::string group;
  std::string path;
  std::string text;
};

}  // namespace hanet::group
