// SPDX-License-Identifier: Apache-2.0
//
// See known_speeds.h.
#include "group/known_speeds.h"

#include <fmt/format.h>

#include "core/json.h"
#include "core/private_file.h"

namespace hanet::group {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 10;

}  // namespace

Status KnownSpeeds::load() {
  const auto unusable = [&](const std::string& why) {
    return failure(fmt::format("the speeds in {} are not used: {}", file_.string(), why));
  };
  const Result<std::optional<std::string>> bytes = read_private_file(file_, kMaxBytes);
  if (!bytes) return unusable(bytes.error().message);
  if (!*bytes) return {};
  const Json kept = Json::parse(**bytes, nullptr, false);
  try {
    speeds_ = kept.get<std::map<std::string, std::uint32_t>>();
  } catch (const Json::exception&) {
    return unusable("it is damaged");
  }
  return {};
}

std::optional<std::uint32_t> KnownSpeeds::of(const std::string& interface) const {
  const auto known = speeds_.find(interface);
  return known == speeds_.end() ? std::nullopt : std::optional(known->second);
}

void KnownSpeeds::learn(const std::string& interface, std::uint32_t speed) {
  if (of(interface) == speed) return;
  speeds_[interface] = speed;
  is_new_ = true;
}

Status KnownSpeeds::save() {
  if (!is_new_) return {};
  is_new_ = false;
  if (Result<Fd> fd = write_fresh(file_, {Json(speeds_).dump()}); !fd) return pass_on(fd);
  return put_in_place(file_);
}

}  // namespace hanet::group
