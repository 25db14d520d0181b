// SPDX-License-Identifier: Apache-2.0
//
// An independent observer: every rtnetlink message of a namespace, and what it must never show.
//
// It knows nothing of hanet and shares no code with it. From the moment it begins it keeps a
// picture of all interfaces, updated message by message, and looks at it after each: two interfaces
// that are up share neither a MAC nor an IP address, and none is created, removed or renamed.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "netns/rtnetlink.h"

namespace hanet::test {

class Observer {
 public:
  /// Takes the picture of a namespace as it is now. Throws when it can not.
  explicit Observer(const std::string& netns);

  /// hanetd starts, ends, or is killed meanwhile: its pair of interfaces may come and go.
  void expect_the_pacer() { expects_pacer_ = true; }
  /// Everything that was wrong since then, a line each. Also when messages were lost, or none came:
  /// then nothing was proved.
  [[nodiscard]] std::vector<std::string> violations();
  /// The same without the demand that something happened: for those who look often.
  [[nodiscard]] std::vector<std::string> violations_so_far();
  /// The addresses of an interface, after everything that was heard.
  [[nodiscard]] std::set<std::string> addresses_of(const std::string& interface);

 private:
  struct Seen {
    HeardLink link;
    std::set<std::string> addresses;
  };
  void catch_up();
  void hear(const nlmsghdr& message);
  void hear_link(const nlmsghdr& message);
  void hear_address(const nlmsghdr& message);
  void look();

  Rtnetlink rtnetlink_;
  std::map<unsigned, Seen> seen_;
  std::set<std::string> violations_;
  std::size_t messages_ = 0;
  bool watching_ = false;
  bool expects_pacer_ = false;
};

}  // namespace hanet::test
