// SPDX-License-Identifier: Apache-2.0
//
// What was on an interface before the identity came there, and is no part of it (spec F16).
//
// It stays where it is: it does not move on, and comes behind the identity's addresses meanwhile.
#pragma once

#include "net/look.h"

namespace hanet::group {

class Strangers {
 public:
  /// The identity comes to an interface that has these. An address that the identity has is its
  /// own, whoever else put it there.
  void begin(net::Configured found, const net::Identity& identity);
  [[nodiscard]] const net::Configured& all() const { return all_; }
  /// One that whoever put it there has removed is forgotten.
  void forget_absent(const net::Identity& found);
  [[nodiscard]] net::Identity without(net::Identity found) const;

 private:
  net::Configured all_;
};

}  // namespace hanet::group
