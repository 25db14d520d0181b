// SPDX-License-Identifier: Apache-2.0
//
// Which port has the identity when hanetd starts, and whether it was lost while hanetd did not run.
//
// After a restart the identity may be on an alternate path, or on another port of a trunk: it stays
// where it is. An address that an idle port was given meanwhile makes it no holder.
//
// Nothing is configured from a guess (spec F3), and what an earlier hanetd kept is a guess unless
// two things are sure: that the identity was lost against everybody's will, and that nobody has
// decided otherwise since. So it counts as lost only
//
// - when the interface that had it does not exist any more and no other port has an address, or
// - when hanetd died in the middle of a switchover and no port has the whole identity.
//
// An interface that is there without its addresses was emptied by somebody, and stays empty.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace hanet::policy {

/// What is found of one port at the start.
struct PortFound {
  bool present = true;
  bool has_kept_identity = false;  ///< all of what an earlier hanetd kept
  bool is_bare = true;             ///< nothing but what the kernel makes by itself
  bool has_own_address = false;    ///< more than a link-local one
  bool was_holder = false;     ///< the interface, by number, that an earlier hanetd saw as holder
  bool was_called_so = false;  ///< it has that interface's name
};

/// What an earlier hanetd kept, if it may be used.
struct KeptFacts {
  bool has_own_address = false;            ///< of the identity that was kept
  std::optional<std::size_t> moving_to{};  ///< it died while it moved the identity to this port
};

enum class HolderState {
  Has,     ///< the port has the identity
  Lost,    ///< nobody has it any more; it has to come up on the port
  Nobody,  ///< no port has an address; what the port gets later is the identity
};

struct Holder {
  std::size_t port = 0;
  HolderState state = HolderState::Nobody;
  /// The interface that had it is there without its addresses: somebody took them off.
  bool was_emptied = false;
  bool operator==(const Holder&) const = default;
};

/// `found` is not empty.
[[nodiscard]] Holder find_holder(std::span<const PortFound> found,
                                 const std::optional<KeptFacts>& kept);

}  // namespace hanet::policy
