// SPDX-License-Identifier: Apache-2.0
//
// rtnetlink as tests hear it: libmnl and nothing of hanet's.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/fd.h"
#include "net/types.h"

namespace hanet::test {

/// What RTM_NEWLINK or RTM_DELLINK says of an interface.
struct HeardLink {
  unsigned index = 0;
  std::string name;
  net::MacAddress mac{};
  bool admin_up = false;
  bool lower_up = false;          ///< IFF_LOWER_UP: up, and with a carrier
  std::optional<bool> carrier{};  ///< IFLA_CARRIER, also of an interface that is down
};
[[nodiscard]] HeardLink link_in(const nlmsghdr& message);
/// The address of RTM_NEWADDR or RTM_DELADDR, as text; and its interface.
struct HeardAddress {
  unsigned index = 0;
  std::string address;
};
[[nodiscard]] HeardAddress address_in(const nlmsghdr& message);
/// The interface by which a route leaves; 0: several, or none.
[[nodiscard]] unsigned interface_of_route(const nlmsghdr& message);

/// Notifications of a namespace, with a socket of its own.
class Rtnetlink {
 public:
  /// `groups`: RTMGRP_*. Throws when it can not listen.
  Rtnetlink(const std::string& netns, unsigned groups);

  using Handler = std::function<void(const nlmsghdr&)>;
  /// Every message of a dump of RTM_GETLINK or RTM_GETADDR. To be asked before anything is heard.
  void dump(std::uint16_t type, const Handler& handler);
  /// What has come, without waiting; false when the kernel had to drop some.
  [[nodiscard]] bool hear(const Handler& handler);

 private:
  Fd notifications_;
  Fd requests_;
};

}  // namespace hanet::test
