// SPDX-License-Identifier: Apache-2.0
//
// See terminal.h.
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace hanet::ctl {
namespace {

// Narrower than this, text is no easier to read in pieces.
constexpr std::size_t kMinColumns = 20;

constexpr std::string_view kGood = "\033[32m";
constexpr std::string_view kBad = "\033[1;31m";
constexpr std::string_view kPlain = "\033[0m";

// What is in capitals in the output of hanetctl needs somebody; two words come first.
constexpr std::array<std::string_view, 10> kAttention{
    "ALARM", "CLAMPED",   "DIFFERS", "IN FRONT",      "LEFT BEHIND",
    "LOSS",  "NOT KNOWN", "PROBLEM", "WOULD BE LOST", "not protected"};

// UTF-8: a name may have it, and a byte that goes on takes no column.
std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Below the value: "      requests   12 sent" has it behind the first gap after a word.
std::size_t indent_of(std::string_view line, std::size_t columns) {
  const std::size_t word = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t gap = line.find("  ", word);
  const std::size_t value = line.find_first_not_of(' ', std::min(gap, line.size()));
  if (gap != std::string_view::npos && value != std::string_view::npos && value <= columns / 2)
    return value;
  return std::min(word + 2, columns / 2);
}

// The byte at which `columns` columns are full.
std::size_t byte_at(std::string_view line, std::size_t columns) {
  std::size_t at = 0;
  while (at < line.size() && columns_of(line.substr(0, at + 1)) <= columns) ++at;
  return at;
}

// Where the line may end: at the last space that fits, or else at the first that does not.
std::size_t break_of(std::string_view line, std::size_t columns) {
  const std::size_t fits = line.rfind(' ', byte_at(line, columns));
  if (fits != std::string_view::npos && fits > line.find_first_not_of(' ')) return fits;
  return line.find(' ', std::min(line.find_first_not_of(' '), line.size()));
}

std::string wrapped(std::string_view line, std::size_t columns) {
  const std::size_t indent = indent_of(line, columns);
  std::string out;
  std::string rest(line);
  while (columns_of(rest) > columns) {
    const std::size_t end = break_of(rest, columns);
    const std::size_t next = end == std::string::npos ? end : rest.find_first_not_of(' ', end);
    if (next == std::string::npos) break;
    out += rest.substr(0, rest.find_last_not_of(' ', end) + 1) + "\n";
    rest = std::string(indent, ' ') + rest.substr(next);
  }
  return out + rest;
}

std::string coloured(std::string_view line) {
  if (line.starts_with("protected"))
    return std::string(kGood) + std::string(line) + std::string(kPlain);
  std::string out(line);
  for (const std::string_view word : kAttention) {
    const std::size_t at = out.find(word);
    if (at == std::string::npos) continue;
    out.insert(at + word.size(), kPlain).insert(at, kBad);
    break;  // one is enough to draw the eye
  }
  return out;
}

}  // namespace

Terminal terminal_of(int descriptor) {
  if (::isatty(descriptor) == 0) return {};
  Terminal terminal;
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col >= kMinColumns)
    terminal.columns = size.ws_col;
  const char* refused = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  terminal.has_colour = (refused == nullptr || *refused == '\0') && kind != nullptr &&
                        std::string_view(kind) != "dumb";
  return terminal;
}

std::string shown_on(const Terminal& terminal, std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view whole = text.substr(0, end);
    const std::string line =
        terminal.columns == 0 ? std::string(whole) : wrapped(whole, terminal.columns);
    out += terminal.has_colour ? coloured(line) : line;
    if (end < text.size()) out.push_back('\n');
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace hanet::ctl
