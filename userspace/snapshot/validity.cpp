// SPDX-License-Identifier: Apache-2.0
//
// See validity.h.
#include "snapshot/validity.h"

#include <filesystem>
#include <fstream>

namespace hanet::snapshot {

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

std::string own_netns() {
  std::error_code failed;
  const std::filesystem::path link =
      std::filesystem::read_symlink("/proc/thread-self/ns/net", failed);
  return failed ? std::string() : link.string();
}

}  // namespace hanet::snapshot
