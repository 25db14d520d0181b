// SPDX-License-Identifier: Apache-2.0
//
// A reload that nobody has confirmed, for the next hanetd (spec O8).
//
// Who reloads with --confirm is promised that what ran before runs again unless they confirm. A
// crash, an upgrade or a reboot meanwhile must not make the promise void by reading the file that
// nobody has confirmed. So both texts are kept on the disk, and a start that finds just that file
// takes the other one. A file that was edited since, and a reload, are the word of a person.
//
// Threading: hanetd's main thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "config/config.h"
#include "core/result.h"

namespace hanet::daemon {

class Unconfirmed {
 public:
  explicit Unconfirmed(const std::filesystem::path& directory) : file_(directory / "unconfirmed") {}

  /// On the disk when it returns.
  [[nodiscard]] Status keep(const std::string& taken, const std::string& before) const;
  void forget() const;
  /// What ran before `taken`, if that was never confirmed; empty: it was, or it is another file.
  [[nodiscard]] std::optional<std::string> instead_of(const std::string& taken) const;

 private:
  std::filesystem::path file_;
};

/// config::load(), but what ran before a file that nobody confirmed. Says so in the log.
[[nodiscard]] Result<config::Config> load_confirmed(const std::filesystem::path& file,
                                                    const std::filesystem::path& directory);

}  // namespace hanet::daemon
