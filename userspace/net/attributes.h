// SPDX-License-Identifier: Apache-2.0
//
// The attributes of a route, rule, neighbour or nexthop object, by number.
//
// A router has hundreds of thousands of routes, and hanetd keeps each of them several times. So the
// attributes are one block of bytes, as they stand in a message, in the order of their numbers:
// what is equal is equal byte by byte, and a route takes a hundred bytes and not six hundred.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace hanet::net {

class Attributes {
 public:
  /// Valid until the attributes change.
  using Value = std::span<const std::uint8_t>;

  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::uint16_t, std::vector<std::uint8_t>>> all);
  /// Reads what bytes() gave; empty for anything else.
  [[nodiscard]] static std::optional<Attributes> read(std::vector<std::uint8_t> bytes);

  [[nodiscard]] std::optional<Value> find(std::uint16_t type) const;
  [[nodiscard]] bool contains(std::uint16_t type) const { return find(type).has_value(); }
  /// `value` is none of these.
  void set(std::uint16_t type, Value value);
  void erase(std::uint16_t type);

  /// As in a message.
  [[nodiscard]] Value bytes() const { return bytes_; }
  /// Room for so many bytes of a message, so that nothing is kept that is not needed.
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }

  bool operator==(const Attributes&) const = default;

 private:
  /// Where the attribute begins, or would begin.
  [[nodiscard]] std::size_t place_of(std::uint16_t type) const;

  std::vector<std::uint8_t> bytes_;
};

}  // namespace hanet::net
