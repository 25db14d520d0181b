// SPDX-License-Identifier: Apache-2.0
//
// A reload that nobody has confirmed, for the next hanetd (spec O8).
//
// Who reloads with --confirm is promised that what ran before runs again unless they confirm. A
// crash, an upgrade or a reboot meanwhile must not make the promise void by reading the file that
// nobody has confirmed. So both texts are kept on the disk, and a start that finds just that file
// takes the other one. A file that was edited since, and a reload, are what a person wants.
//
// Threading: hanetd's main thread. It waits for a disk, but not for long.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/background_file.h"
#include "core/result.h"

namespace hanet::daemon {

/// One of the configurations that a start may take.
struct Candidate {
  config::Config config;
  bool is_way_back = false;  ///< it ran before a file that nobody has confirmed
};

class Unconfirmed {
 public:
  explicit Unconfirmed(const std::filesystem::path& directory);

  /// What a start takes: the file; or, if nobody confirmed it, what ran before, and the file for
  /// the case that this can not run any more. What is kept of another file is forgotten.
  [[nodiscard]] Result<std::vector<Candidate>> candidates(const std::filesystem::path& file);

  /// On the disk when it returns. On error what was kept before is kept.
  [[nodiscard]] Status keep(const std::string& taken, const std::string& before);
  /// Undoes keep().
  void take_back();
  /// Not on the disk any more when it returns.
  [[nodiscard]] Status forget();

 private:
  [[nodiscard]] Status store(std::string content);

  BackgroundFile file_;
  std::string kept_;      // the content of the file; empty: there is none
  std::string previous_;  // before keep()
};

}  // namespace hanet::daemon
