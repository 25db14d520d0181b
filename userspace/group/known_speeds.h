// SPDX-License-Identifier: Apache-2.0
//
// The speeds that a group's ports had with a link, also for an earlier hanetd (policy/speed.h): one
// small file in the run directory, gone with the boot.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/result.h"

namespace hanet::group {

class KnownSpeeds {
 public:
  KnownSpeeds(const std::filesystem::path& directory, const std::string& group)
      : file_(directory / (group + ".speeds")) {}

  /// The error says why a file that is there is not used.
  [[nodiscard]] Status load();
  /// Mbit/s; empty: it had no link yet.
  [[nodiscard]] std::optional<std::uint32_t> of(const std::string& interface) const;
  void learn(const std::string& interface, std::uint32_t speed);
  /// Writes what is new.
  [[nodiscard]] Status save();

 private:
  std::filesystem::path file_;
  std::map<std::string, std::uint32_t> speeds_;
  bool is_new_ = false;
};

}  // namespace hanet::group
