// SPDX-License-Identifier: Apache-2.0
//
// One table of a configuration file, read with suspicion.
//
// A TableReader knows where its table stands in the file, so each question to it ("the integer
// under this key, from 1 to 50") either gives a value that is right or adds a message that is
// complete. The caller then only sees "there is a value" or "there is none"; whether a missing key
// is a mistake is the caller's decision, by has(). Checks that need several keys use the values
// that were right and report() against the key that is to be changed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/limits.h"
#include "config/text.h"
#include "config/toml_library.h"

namespace hanet::config {

/// What a TOML value is, for "found ...": "the integer 7", "the string 'on'", "a table".
[[nodiscard]] std::string described(const toml::node& node);

/// One string of a key that holds a string or a list of them.
struct Item {
  std::string key;
  std::optional<std::size_t> position;  ///< in the list
  std::uint32_t line = 0;
  std::string text;
};

/// "primary", or "primary[1]" in a list.
[[nodiscard]] std::string name_of(const Item& item);

/// A view of a table: valid as long as the document and the collection of mistakes live.
/// It has a function for each type that a key may have, and for each form of a message.
class TableReader {
 public:
  /// `path` is the table's own key path, empty for the document; `line` is where it begins.
  TableReader(const toml::table& table, std::string path, std::uint32_t line, Mistakes& mistakes)
      : table_(&table), path_(std::move(path)), line_(line), mistakes_(&mistakes) {}

  [[nodiscard]] bool has(std::string_view key) const { return node(key) != nullptr; }
  /// The key's line, or the table's if the key is missing.
  [[nodiscard]] std::uint32_t line_of(std::string_view key) const;
  /// "group[0].heartbeat.KEY".
  [[nodiscard]] std::string path_of(std::string_view key) const;
  [[nodiscard]] std::string path_of(const Item& item) const;

  // Each returns nothing if the key is missing, and nothing after a message if its value is wrong.
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, Range range) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
  /// `allowed` completes the message when the value is no string.
  [[nodiscard]] std::optional<std::string> string(std::string_view key,
                                                  std::string_view allowed) const;
  /// The index of the value in `words`.
  [[nodiscard]] std::optional<std::size_t> choice(std::string_view key,
                                                  std::span<const std::string_view> words) const;
  [[nodiscard]] std::optional<IpAddress> address(std::string_view key) const;
  /// The strings under a key, or nothing after a message if one of them is none.
  [[nodiscard]] std::vector<Item> items(std::string_view key, std::string_view allowed) const;
  /// The address that an item stands for.
  [[nodiscard]] std::optional<IpAddress> address(const Item& item) const;
  /// A unicast MAC address.
  [[nodiscard]] std::optional<net::MacAddress> mac_address(std::string_view key) const;
  [[nodiscard]] std::optional<TableReader> table(std::string_view key) const;

  /// The value under a key, of any type, or nullptr.
  [[nodiscard]] const toml::node* node(std::string_view key) const { return table_->get(key); }

  /// "key 'PATH': found FOUND, allowed: ALLOWED" at the key's line.
  void report(std::string_view key, std::string_view found, std::string_view allowed) const;
  /// The same for one of a list.
  void report(const Item& item, std::string_view found, std::string_view allowed) const;
  /// "key 'PATH': missing, allowed: ALLOWED" at the table's line.
  void report_missing(std::string_view key, std::string_view allowed) const;
  /// One message per key that is not in `known`.
  void refuse_unknown(std::span<const std::string_view> known) const;

  [[nodiscard]] Mistakes& mistakes() const { return *mistakes_; }

 private:
  const toml::table* table_;
  std::string path_;
  std::uint32_t line_;
  Mistakes* mistakes_;
};

}  // namespace hanet::config
