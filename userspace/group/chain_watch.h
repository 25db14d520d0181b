// SPDX-License-Identifier: Apache-2.0
//
// Is hanet the first at its ports, and does its kernel side see what is sent? (spec D8)
//
// A program in front of hanet's may end the chain, and then everything looks well and nothing is
// watched. It need not do any harm, and from outside nobody can tell. So hanet goes to the front
// once, which costs nothing, and says whom it passed. Where somebody insists, two programs would
// chase each other for ever: that is an alarm with the other's name, until it is no longer true.
//
// Whether requests are seen is the sender's knowledge, request by request. A path on which they are
// not is not proved, whatever was known before (policy/port.h).
#pragma once

#include <array>
#include <map>
#include <string>

#include "group/port_list.h"

namespace hanet::group {

/// Between two looks: who stands in front is named within a second.
inline constexpr Nanoseconds kChainLook = std::chrono::milliseconds(500);
/// Who is in front again within this time insists.
inline constexpr Nanoseconds kChainPeace = std::chrono::minutes(1);

class ChainWatch {
 public:
  ChainWatch(const Context& context, const PortList& ports) : context_(context), ports_(ports) {}

  void tick(MonotonicTime now);

 private:
  struct Entry {
    std::array<MonotonicTime, 2> came_first{};  // when hanet last did, by direction
    std::string alarm;                          // as it was told; empty: all is well
  };
  void look_at(const Port& port, MonotonicTime now);
  /// What is wrong at one hook of the port, after hanet did what it may; empty: nothing.
  [[nodiscard]] std::string trouble_at(const Port& port, engine::Direction direction,
                                       MonotonicTime& came_first, MonotonicTime now) const;
  [[nodiscard]] bool is_blind_for_no_reason(const Port& port, MonotonicTime came_first,
                                            MonotonicTime now) const;

  const Context& context_;
  const PortList& ports_;
  std::map<std::size_t, Entry> entries_;  // by the port's number
  MonotonicTime next_look_{};
};

}  // namespace hanet::group
