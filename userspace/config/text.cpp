// SPDX-License-Identifier: Apache-2.0
//
// The words of configuration messages: see text.h for their form and for what is kept out of
// them. The names of enumerators are here too, because they are the same words in a file, in a
// message and in the output of hanetctl.
#include "config/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "config/config.h"
#include "config/parameters.h"

namespace hanet::config {
namespace {

constexpr std::size_t kMaxShown = 60;

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

/// U+0080..U+009F: control characters to a terminal, two bytes in UTF-8.
bool is_c1_control(std::string_view rest) {
  return rest.size() >= 2 && rest[0] == '\xc2' && static_cast<unsigned char>(rest[1]) < 0xa0;
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

bool is_bare_key_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

/// Levenshtein distance, one row of the matrix at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string one_line(std::string_view text, std::size_t limit) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // Never cut inside a character.
    if (shown.size() >= limit && !is_continuation(text[i])) return shown + "...";
    const auto byte = static_cast<unsigned char>(text[i]);
    if (is_c1_control(text.substr(i))) {
      shown += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[++i]));
    } else if (is_control(byte)) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += text[i];
    }
  }
  return shown;
}

std::string in_quotes(std::string_view text) {
  return fmt::format("'{}'", one_line(text, kMaxShown));
}

std::string path_step(std::string_view key) {
  const bool bare = !key.empty() && std::ranges::all_of(key, is_bare_key_character);
  return bare ? one_line(key, kMaxShown) : fmt::format("\"{}\"", one_line(key, kMaxShown));
}

std::string listed(std::span<const std::string_view> words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string listed(std::span<const std::string> words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string_view nearest(std::string_view typed, std::span<const std::string_view> known) {
  std::string_view best;
  std::size_t best_distance = 3;
  for (const std::string_view word : known) {
    // A longer word cannot be within two edits; a file may hold a key of a megabyte.
    if (typed.size() > word.size() + 2) continue;
    const std::size_t distance = edit_distance(typed, word);
    if (distance < best_distance && distance < typed.size()) {
      best = word;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggestion_for(std::string_view typed, std::span<const std::string_view> known) {
  const std::string_view meant = nearest(typed, known);
  return meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant);
}

void Mistakes::found(std::uint32_t line, std::string_view path, std::string_view found,
                     std::string_view allowed) {
  add(line, path, fmt::format("found {}, allowed: {}", found, allowed));
}

void Mistakes::add(std::uint32_t line, std::string_view path, std::string_view what) {
  mistakes_.push_back({line, fmt::format("{}:{}: key '{}': {}", file_, line, path, what)});
}

std::string Mistakes::text() const {
  std::vector<Mistake> sorted = mistakes_;
  std::ranges::stable_sort(sorted, {}, &Mistake::line);
  std::vector<std::string_view> lines;
  for (const Mistake& mistake : sorted) lines.push_back(mistake.text);
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::string_view to_text(HeartbeatKind kind) {
  switch (kind) {
    case HeartbeatKind::Arp:
      return "arp";
    case HeartbeatKind::Icmp:
      return "icmp";
    case HeartbeatKind::Hanet:
      return "hanet";
    case HeartbeatKind::Silence:
      return "silence";
  }
  return "unknown";
}

std::string_view to_text(TrunkMode mode) {
  switch (mode) {
    case TrunkMode::Independent:
      return "independent";
    case TrunkMode::Static:
      return "static";
  }
  return "";
}

std::string_view to_text(Capacity capacity) {
  switch (capacity) {
    case Capacity::Count:
      return "count";
    case Capacity::Speed:
      return "speed";
  }
  return "";
}

std::string_view to_text(StandbyMode mode) {
  switch (mode) {
    case StandbyMode::Hot:
      return "hot";
    case StandbyMode::Warm:
      return "warm";
    case StandbyMode::Cold:
      return "cold";
    case StandbyMode::Metanet:
      return "metanet";
  }
  return "unknown";
}

std::string_view to_text(OnDaemonLoss loss) {
  return kOnDaemonLossWords.at(static_cast<std::size_t>(loss));
}

}  // namespace hanet::config
