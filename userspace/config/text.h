// SPDX-License-Identifier: Apache-2.0
//
// The words of configuration messages.
//
// A message about a configuration has one form, so that people and editors can jump to the place:
// "FILE:LINE: key 'PATH': found WHAT, allowed: WHAT". Each is exactly one line, whatever the file
// holds: text from the file is quoted, shortened and stripped of control characters, so a file can
// neither forge a second message nor send escape sequences to a terminal. Mistakes are collected,
// not thrown: whoever repairs a file wants to see them all at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hanet::config {

/// The text on one line, without anything that a terminal would act upon: control characters are
/// written as escapes. What is longer than `limit` bytes ends in "...".
[[nodiscard]] std::string one_line(std::string_view text, std::size_t limit);

/// Text from the file as it is shown: in single quotes, at most about 60 bytes.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// One step of a key path: bare if TOML allows it bare, else in double quotes.
[[nodiscard]] std::string path_step(std::string_view key);

/// "a, b, c".
[[nodiscard]] std::string listed(std::span<const std::string_view> words);
[[nodiscard]] std::string listed(std::span<const std::string> words);

/// The word that `typed` most likely stands for: at most two letters inserted, deleted or replaced
/// (Levenshtein), and less than its whole length. Empty if there is none. The first of equals wins.
[[nodiscard]] std::string_view nearest(std::string_view typed,
                                       std::span<const std::string_view> known);

/// "; did you mean 'b'?", or nothing.
[[nodiscard]] std::string suggestion_for(std::string_view typed,
                                         std::span<const std::string_view> known);

/// Everything that is wrong with one file.
class Mistakes {
 public:
  /// `file` is how messages name the file.
  explicit Mistakes(std::string_view file) : file_(file) {}

  /// "FILE:LINE: key 'PATH': found FOUND, allowed: ALLOWED".
  void found(std::uint32_t line, std::string_view path, std::string_view found,
             std::string_view allowed);
  /// "FILE:LINE: key 'PATH': WHAT".
  void add(std::uint32_t line, std::string_view path, std::string_view what);

  [[nodiscard]] bool empty() const { return mistakes_.empty(); }
  /// All messages in order of their lines, joined with newlines (none at the end).
  [[nodiscard]] std::string text() const;

 private:
  struct Mistake {
    std::uint32_t line;
    std::string text;
  };
  std::string file_;
  std::vector<Mistake> mistakes_;
};

}  // namespace hanet::config
