// SPDX-License-Identifier: Apache-2.0
//
// A thread that may not be had: a service has a limit of tasks, and its hooks count.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "core/result.h"

namespace hanet {

/// `what`: what the thread is for, e.g. "that sends".
template <typename Body>
[[nodiscard]] Result<std::thread> start_thread(std::string_view what, Body body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& refused) {
    return errno_error(refused.code().value(), fmt::format("start a thread {}", what));
  }
}

}  // namespace hanet
