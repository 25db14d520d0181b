// SPDX-License-Identifier: Apache-2.0
//
// A configuration file from bytes to Config: the file itself, its TOML, its top level.
//
// The steps are ordered so that each can trust the one before: the file is a regular one of
// sensible size, its bytes are UTF-8 in lines, the text is TOML, and only then keys and values are
// looked at (group.cpp, heartbeat.cpp). A step that fails ends the reading; within
// the last one every mistake is collected. Reading is all that happens: no step asks the host
// anything, so a file can be checked on another machine than the one it is for.
#define TOML_IMPLEMENTATION
#include "config/config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "config/read_all.h"
#include "config/sections.h"
#include "config/utf8.h"
#include "core/fd.h"

namespace hanet::config {
namespace {

constexpr std::array<std::string_view, 2> kTopLevelKeys{"daemon", "group"};
constexpr std::array<std::string_view, 1> kDaemonKeys{"log_level"};
constexpr std::array<std::string_view, 5> kLogLevels{"error", "warning", "notice", "info", "debug"};

/// toml++ quotes from the file in its messages; they stay shorter than this.
constexpr std::size_t kMaxSyntaxText = 512;

std::string group_count_rule() { return fmt::format("1 to {} [[group]] tables", kMaxGroups); }

/// Only a regular file of sensible size: a FIFO would block a service, a device never end.
Status check_kind_of_file(int fd, const std::string& name) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return errno_error(errno, name + ": cannot read");
  if (S_ISDIR(status.st_mode)) return failure(name + ": found a directory, allowed: a TOML file");
  if (!S_ISREG(status.st_mode)) {
    return failure(name + ": found a device, pipe or socket, allowed: a TOML file");
  }
  return {};
}

Status check_utf8(std::string_view text, std::string_view name) {
  const std::size_t bad = first_invalid_utf8(text);
  if (bad == std::string_view::npos) return {};
  const std::string_view before = text.substr(0, bad);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  // npos + 1 is 0: the first line begins at the beginning.
  const std::size_t column = bad - (before.rfind('\n') + 1) + 1;
  return failure(fmt::format("{}:{}: found byte 0x{:02x} at byte {} of the line, allowed: UTF-8",
                             name, line, static_cast<unsigned char>(text[bad]), column));
}

/// What toml++ could not digest: see toml_library.h.
Status check_lines(std::string_view text, std::string_view name) {
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    if (length > kMaxLineBytes) {
      return failure(fmt::format("{}:{}: found a line of {} bytes, allowed: up to {}", name, line,
                                 length, kMaxLineBytes));
    }
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return {};
}

void read_daemon(const TableReader& root, Config& config) {
  const std::optional<TableReader> daemon = root.table("daemon");
  if (!daemon) return;
  daemon->refuse_unknown(kDaemonKeys);
  if (const auto level = daemon->choice("log_level", kLogLevels)) {
    config.log_level = kLogLevels[*level];
  }
}

/// `group` as a list; nullptr after a message if there is none.
const toml::array* find_groups(const TableReader& root) {
  const toml::node* node = root.node("group");
  if (node == nullptr) {
    root.report_missing("group", group_count_rule());
    return nullptr;
  }
  const toml::array* groups = node->as_array();
  if (groups == nullptr) {
    root.report(
        "group", described(*node),
        node->is_table() ? "[[group]] with double brackets, once per group" : group_count_rule());
  } else if (groups->empty()) {
    root.report("group", "an empty list", group_count_rule());
    return nullptr;
  }
  return groups;
}

void read_groups(const TableReader& root, Config& config) {
  const toml::array* groups = find_groups(root);
  if (groups == nullptr) return;
  Claims claims;
  for (std::size_t i = 0; i < groups->size(); ++i) {
    const toml::node& node = *groups->get(i);
    const std::string path = fmt::format("group[{}]", i);
    const std::uint32_t line = std::max<std::uint32_t>(1, node.source().begin.line);
    if (i == kMaxGroups) {
      root.mistakes().found(line, path, fmt::format("{} groups", groups->size()),
                            group_count_rule());
    }
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      root.mistakes().found(line, path, described(node), "a table");
      continue;
    }
    claims.group = i;
    config.groups.push_back(read_group(TableReader(*table, path, line, root.mistakes()), claims));
  }
  check_claims(claims, root.mistakes());
}

}  // namespace

Result<Config> load(const std::filesystem::path& file) {
  const std::string& name = file.native();
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it has no effect on a regular file.
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, name + ": cannot open");
  if (Status status = check_kind_of_file(fd.get(), name); !status) return pass_on(status);
  Result<std::string> text = read_all(fd.get(), name, kMaxFileBytes);
  if (!text) return pass_on(text);
  Result<Config> config = parse(*text, name);
  if (!config) return config;
  if (Status keys = load_keys(*config); !keys) return pass_on(keys);
  return config;
}

Result<Config> parse(std::string_view text, std::string_view name) {
  if (Status status = check_utf8(text, name); !status) return pass_on(status);
  if (Status status = check_lines(text, name); !status) return pass_on(status);
  const toml::parse_result document = toml::parse(text);
  if (!document) {
    const toml::parse_error& error = document.error();
    return failure(fmt::format("{}:{}: not TOML: {}", name, error.source().begin.line,
                               one_line(error.description(), kMaxSyntaxText)));
  }
  Mistakes mistakes(name);
  const TableReader root(document.table(), "", 1, mistakes);
  Config config;
  root.refuse_unknown(kTopLevelKeys);
  read_daemon(root, config);
  const bool is_good_but_empty = mistakes.empty() && root.node("group") == nullptr;
  read_groups(root, config);
  if (is_good_but_empty) {
    return std::unexpected(Error{.code = ENODATA, .message = mistakes.text()});
  }
  if (!mistakes.empty()) return failure(mistakes.text());
  config.text = text;
  return config;
}

}  // namespace hanet::config
