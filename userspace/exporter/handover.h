// SPDX-License-Identifier: Apache-2.0
//
// Asks hanetd for what metrics are made of: a read-only descriptor of its page
// (daemon/metrics_source.h has the answer's form).
//
// One request on a connection of its own, which is closed at once: hanetd has nobody to keep. Who
// answered is known by the kernel's word (SO_PEERCRED), so its end is noticed without asking again.
#pragma once

#include <filesystem>
#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::exporter {

struct Handover {
  std::string version;  ///< of hanetd
  Fd page;
  Fd ended;  ///< readable once hanetd has ended (pidfd); invalid where its process can not be seen
};

/// Waits for an answer for at most a second. Refuses a hanetd whose memory is laid out in another
/// way than this build knows. Error::code is ENOENT or ECONNREFUSED where no hanetd runs.
[[nodiscard]] Result<Handover> ask_hanetd(const std::filesystem::path& socket);

}  // namespace hanet::exporter
