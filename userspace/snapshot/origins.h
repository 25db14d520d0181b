// SPDX-License-Identifier: Apache-2.0
//
// What interfaces were like before hanet changed them, as text that outlives hanetd.
//
// hanet may be killed, started again and end in good order, with the identity on one port or the
// other; what it takes for "before" must always be what was there before the first of them (spec
// F17). So it is written down before anything is changed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "net/identity.h"
#include "net/settings.h"

namespace hanet::snapshot {

/// One interface.
struct Origin {
  net::InterfaceName on;
  net::Settings before{};  ///< what hanet has changed, as it was
  net::Settings ours{};    ///< the same, as hanet has left it
  bool is_known = false;   ///< what follows is known
  bool admin_up = false;
  std::vector<net::Address> link_local{};  ///< what it took off
  bool operator==(const Origin&) const = default;
};

struct Origins {
  std::string boot;
  std::string netns;
  std::vector<Origin> interfaces;
  unsigned carrier = 0;  ///< number of the port that has the identity
  unsigned left = 0;     ///< of the one that the identity came from, and that waits in its place
  std::map<std::uint32_t, net::Settings> carried;  ///< of the identity, by VLAN tag
};

/// What is kept of this boot and this network namespace; empty where nothing is. The error says why
/// a file that is there is not used.
[[nodiscard]] Result<Origins> load_origins(const std::filesystem::path& file);
[[nodiscard]] Status save_origins(const std::filesystem::path& file, Origins origins);

}  // namespace hanet::snapshot
