// SPDX-License-Identifier: Apache-2.0
//
// Asks hanetd for what metrics are made of: read-only descriptors of its page and of the kernel
// side's maps (daemon/metrics_source.h has the answer's form).
//
// One request on a connection of its own, which is closed at once: hanetd has nobody to keep. Who
// answered is known by the kernel's word (SO_PEERCRED), so its end is noticed without asking again.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::exporter {

/// In the order in which hanetd hands them out.
enum class Part : std::uint8_t { Page, Sessions, Ports, Engine };
inline constexpr std::size_t kParts = 4;

struct Handover {
  std::string version;  ///< of hanetd
  std::array<Fd, kParts> parts;
  Fd ended;  ///< readable once hanetd has ended (pidfd); invalid where its process can not be seen
};

/// Waits for an answer for at most a second. Refuses a hanetd whose memory is laid out in another
/// way than this build knows. Error::code is ENOENT or ECONNREFUSED where no hanetd runs.
[[nodiscard]] Result<Handover> ask_hanetd(const std::filesystem::path& socket);

}  // namespace hanet::exporter
