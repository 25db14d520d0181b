// SPDX-License-Identifier: Apache-2.0
//
// See key_file.h.
#include "config/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "config/read_all.h"
#include "core/fd.h"

namespace hanet::config {
namespace {

constexpr std::size_t kDigits = 32;
constexpr std::size_t kBytes = kDigits / 2;
/// Two keys and what a person writes about them; beyond this it is the wrong file.
constexpr std::size_t kMaxKeyFileBytes = 4096;

std::optional<unsigned> digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

/// Why the line is no key, in words that show nothing of it; empty: it is one.
std::string why_not_a_key(std::string_view line) {
  for (std::size_t at = 0; at < line.size(); ++at)
    if (!digit_of(line[at])) return fmt::format("no hexadecimal digit as character {}", at + 1);
  if (line.size() != kDigits) return fmt::format("{} hexadecimal digits", line.size());
  if (line.find_first_not_of('0') == std::string_view::npos) return "zeros only";
  return {};
}

hanet_key key_of(std::string_view digits) {
  hanet_key key{};
  for (std::size_t at = 0; at < kBytes; ++at) {
    const unsigned byte = *digit_of(digits[2 * at]) << 4 | *digit_of(digits[2 * at + 1]);
    key.half[at / 8] |= std::uint64_t{byte} << (8 * (at % 8));
  }
  key.id = hanet_key_id(key.half);
  return key;
}

std::string_view without_spaces(std::string_view line) {
  constexpr std::string_view kSpaces = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kSpaces), line.size()));
  line.remove_suffix(line.size() - (line.find_last_not_of(kSpaces) + 1));
  return line;
}

}  // namespace

std::string why_not_secret(uid_t owner, mode_t mode) {
  if (!S_ISREG(mode)) return "no regular file";
  if (owner != 0) return fmt::format("a file of the user {}", owner);
  if ((mode & 07777) != 0600 && (mode & 07777) != 0400)
    return fmt::format("mode {:04o}", mode & 07777);
  return {};
}

Result<std::vector<hanet_key>> parse_keys(std::string_view text, std::string_view name) {
  std::vector<hanet_key> keys;
  std::vector<std::string> mistakes;
  const auto refuse = [&](std::size_t line, std::string_view found, std::string_view allowed) {
    mistakes.push_back(fmt::format("{}:{}: found {}, allowed: {}", name, line, found, allowed));
  };
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = without_spaces(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (const std::string found = why_not_a_key(line); !found.empty()) {
      refuse(number, found, "a key: 32 hexadecimal digits");
      continue;
    }
    const hanet_key key = key_of(line);
    if (keys.size() == HANET_KEYS)
      refuse(number, "one more key", "1 or 2 keys");
    else if (std::ranges::count(keys, key.id, &hanet_key::id) != 0)
      refuse(number, fmt::format("the key {} again", key_name(key)), "each key once");
    else
      keys.push_back(key);
  }
  if (mistakes.empty() && keys.empty())
    mistakes.push_back(fmt::format("{}: found no key, allowed: 1 or 2 keys", name));
  if (!mistakes.empty()) return failure(fmt::format("{}", fmt::join(mistakes, "\n")));
  return keys;
}

Result<std::vector<hanet_key>> load_key_file(const std::filesystem::path& file) {
  const std::string& name = file.native();
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, name + ": cannot open the key file");
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno_error(errno, name + ": cannot read");
  if (const std::string found = why_not_secret(status.st_uid, status.st_mode); !found.empty())
    return failure(fmt::format(
        "{}: found {}, allowed: a regular file of root with mode 0600 or 0400, because whoever "
        "reads a key can forge heartbeats",
        name, found));
  Result<std::string> text = read_all(fd.get(), name, kMaxKeyFileBytes);
  if (!text) return pass_on(text);
  return parse_keys(*text, name);
}

std::string key_name(const hanet_key& key) { return fmt::format("{:08x}", key.id); }

}  // namespace hanet::config
