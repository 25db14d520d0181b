// SPDX-License-Identifier: Apache-2.0
//
// One way to report failure.
//
// hanet is a root service: when something does not work, the person who reads the message at 3 a.m.
// needs to know the operation, its subject, and what the kernel answered. So an Error carries all
// three, and functions return Result<T> instead of throwing. Exceptions of third-party libraries
// are caught in the function that calls the library.
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace hanet {

/// What failed, on what, and why. `code` is an errno value, or 0 when the kernel was not asked.
struct Error {
  int code = 0;
  std::string message;  ///< complete sentence for a person, e.g. "attach XDP to eth1: Device busy"
};

template <typename T>
using Result = std::expected<T, Error>;

/// A success without a value.
using Status = Result<void>;

/// Builds an error from an errno value: "<operation>: <strerror(code)>".
[[nodiscard]] std::unexpected<Error> errno_error(int code, std::string_view operation);

/// Builds an error that no system call reported.
[[nodiscard]] inline std::unexpected<Error> failure(std::string message) {
  return std::unexpected(Error{.code = 0, .message = std::move(message)});
}

/// Passes an error of another Result on unchanged.
template <typename T>
[[nodiscard]] std::unexpected<Error> pass_on(Result<T>& result) {
  return std::unexpected(std::move(result).error());
}

}  // namespace hanet
