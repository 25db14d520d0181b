// SPDX-License-Identifier: Apache-2.0
//
// One table of a configuration file: see reader.h for who decides what.
//
// The types of TOML are taken at their word: 10.0 is no integer and "10" is no number. A file that
// is read more kindly than it was written hides the mistake until a tool that is less kind reads
// it.
#include "config/reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace hanet::config {
namespace {

constexpr std::string_view kAnyHost = "the IPv4 or IPv6 address of one host";
constexpr std::string_view kOneCard =
    "six pairs of hexadecimal digits with ':' between, of one card (not multicast, not all zero)";

/// toml++ counts lines from 1; 0 means that it does not know.
std::uint32_t line_number(const toml::source_region& source) {
  return std::max<std::uint32_t>(1, source.begin.line);
}

}  // namespace

std::string described(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::none:
      return "nothing";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return fmt::format("the string {}", in_quotes(node.as_string()->get()));
    case toml::node_type::integer:
      return fmt::format("the integer {}", node.as_integer()->get());
    case toml::node_type::floating_point:
      return fmt::format("the float {:#}", node.as_floating_point()->get());
    case toml::node_type::boolean:
      return fmt::format("the boolean {}", node.as_boolean()->get());
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
  }
  return "nothing";
}

std::uint32_t TableReader::line_of(std::string_view key) const {
  const auto entry = table_->find(key);
  return entry == table_->end() ? line_ : line_number(entry->first.source());
}

std::string TableReader::path_of(std::string_view key) const {
  return path_.empty() ? path_step(key) : fmt::format("{}.{}", path_, path_step(key));
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, Range range) const {
  const toml::node* value = node(key);
  if (value == nullptr) return std::nullopt;
  const toml::value<std::int64_t>* number = value->as_integer();
  if (number == nullptr) {
    report(key, described(*value), fmt::format("an integer, {} to {}", range.low, range.high));
    return std::nullopt;
  }
  if (!range.holds(number->get())) {
    report(key, fmt::format("{}", number->get()), fmt::format("{} to {}", range.low, range.high));
    return std::nullopt;
  }
  return number->get();
}

std::optional<bool> TableReader::boolean(std::string_view key) const {
  const toml::node* value = node(key);
  if (value == nullptr) return std::nullopt;
  if (const toml::value<bool>* flag = value->as_boolean()) return flag->get();
  report(key, described(*value), "true, false");
  return std::nullopt;
}

std::optional<std::string> TableReader::string(std::string_view key,
                                               std::string_view allowed) const {
  const toml::node* value = node(key);
  if (value == nullptr) return std::nullopt;
  if (const toml::value<std::string>* text = value->as_string()) return text->get();
  report(key, described(*value), allowed);
  return std::nullopt;
}

std::optional<std::size_t> TableReader::choice(std::string_view key,
                                               std::span<const std::string_view> words) const {
  const std::optional<std::string> word = string(key, listed(words));
  if (!word) return std::nullopt;
  const auto match = std::ranges::find(words, *word);
  if (match == words.end()) {
    report(key, in_quotes(*word), listed(words));
    return std::nullopt;
  }
  return static_cast<std::size_t>(match - words.begin());
}

std::string name_of(const Item& item) {
  return item.position ? fmt::format("{}[{}]", item.key, *item.position) : item.key;
}

std::string TableReader::path_of(const Item& item) const {
  const std::string path = path_of(item.key);
  return item.position ? fmt::format("{}[{}]", path, *item.position) : path;
}

std::optional<IpAddress> TableReader::address(std::string_view key) const {
  const std::optional<std::string> text = string(key, kAnyHost);
  if (!text) return std::nullopt;
  return address(
      Item{.key = std::string(key), .position = {}, .line = line_of(key), .text = *text});
}

std::optional<IpAddress> TableReader::address(const Item& item) const {
  const std::optional<IpAddress> address = IpAddress::parse(item.text);
  if (!address) {
    report(item, in_quotes(item.text), kAnyHost);
    return std::nullopt;
  }
  if (const std::string_view why_not = address->why_not_a_host(); !why_not.empty()) {
    report(item, fmt::format("{} ({})", in_quotes(item.text), why_not), kAnyHost);
    return std::nullopt;
  }
  return address;
}

std::vector<Item> TableReader::items(std::string_view key, std::string_view allowed) const {
  const toml::node* value = node(key);
  if (value == nullptr) return {};
  const toml::array* list = value->as_array();
  if (list == nullptr) {
    const std::optional<std::string> text = string(key, allowed);
    if (!text) return {};
    return {{.key = std::string(key), .position = {}, .line = line_of(key), .text = *text}};
  }
  if (list->empty()) report(key, "an empty list", allowed);
  std::vector<Item> items;
  for (std::size_t at = 0; at < list->size(); ++at) {
    const toml::node& element = *list->get(at);
    Item item{.key = std::string(key),
              .position = at,
              .line = std::max<std::uint32_t>(line_of(key), element.source().begin.line),
              .text = {}};
    const toml::value<std::string>* text = element.as_string();
    if (text == nullptr) {
      report(item, described(element), allowed);
      return {};
    }
    item.text = text->get();
    items.push_back(std::move(item));
  }
  return items;
}

std::optional<net::MacAddress> TableReader::mac_address(std::string_view key) const {
  const std::optional<std::string> text = string(key, kOneCard);
  if (!text) return std::nullopt;
  const std::optional<net::MacAddress> address = net::parse_mac(*text);
  if (!address) report(key, in_quotes(*text), kOneCard);
  return address;
}

std::optional<TableReader> TableReader::table(std::string_view key) const {
  const toml::node* value = node(key);
  if (value == nullptr) return std::nullopt;
  if (const toml::table* inner = value->as_table()) {
    return TableReader(*inner, path_of(key), line_of(key), *mistakes_);
  }
  report(key, described(*value), "a table");
  return std::nullopt;
}

void TableReader::report(std::string_view key, std::string_view found,
                         std::string_view allowed) const {
  mistakes_->found(line_of(key), path_of(key), found, allowed);
}

void TableReader::report(const Item& item, std::string_view found, std::string_view allowed) const {
  mistakes_->found(item.line, path_of(item), found, allowed);
}

void TableReader::report_missing(std::string_view key, std::string_view allowed) const {
  mistakes_->add(line_, path_of(key), fmt::format("missing, allowed: {}", allowed));
}

void TableReader::refuse_unknown(std::span<const std::string_view> known) const {
  for (const auto& [key, value] : *table_) {
    const std::string_view name = key.str();
    if (std::ranges::find(known, name) != known.end()) continue;
    mistakes_->add(
        line_number(key.source()), path_of(name),
        fmt::format("unknown, allowed: {}{}", listed(known), suggestion_for(name, known)));
  }
}

}  // namespace hanet::config
