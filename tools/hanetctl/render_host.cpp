// SPDX-License-Identifier: Apache-2.0
//
// See render_host.h.
#include "render_host.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

namespace hanet::ctl {
namespace {

constexpr std::size_t kColumn = 24;  // where what is said of a thing begins
constexpr std::size_t kWidth = 96;
constexpr std::size_t kListed = 12;  // a full routing table is no answer; --json has all of it

/// The words in lines of kWidth, behind the column.
std::vector<std::string> in_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (text.size() > kWidth - kColumn) {
    std::size_t end = text.rfind(' ', kWidth - kColumn);
    if (end == std::string_view::npos) end = std::min(text.find(' '), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  lines.emplace_back(text);
  return lines;
}

void row(std::string& out, std::string_view thing, const std::vector<std::string>& texts) {
  std::string_view first = thing;
  const auto put = [&](std::string_view line) {
    fmt::format_to(std::back_inserter(out), "  {:<{}}{}\n", first, kColumn - 2, line);
    first = {};
  };
  if (thing.size() > kColumn - 3) {
    fmt::format_to(std::back_inserter(out), "  {}\n", thing);
    first = {};
  }
  for (const std::string& text : texts)
    for (const std::string& line : in_lines(text)) put(line);
}

std::vector<std::string> first_of(const Json& lines) {
  std::vector<std::string> texts;
  for (const Json& line : lines) {
    if (texts.size() == kListed) {
      texts.push_back(fmt::format("and {} more (--json lists them)", lines.size() - kListed));
      break;
    }
    texts.push_back(line.get<std::string>());
  }
  return texts;
}

std::string names(const Json& ports) {
  return fmt::format("{}", fmt::join(ports.get<std::vector<std::string>>(), ", "));
}

void render_moves(std::string& out, const Json& group) {
  fmt::format_to(std::back_inserter(out), "\nWOULD MOVE to {}\n", names(group.at("waiting")));
  for (const Json& moving : group.at("moves")) {
    std::vector<std::string> texts = first_of(moving.at("has"));
    if (const std::size_t alike = moving.at("alike"); alike > 0)
      texts.push_back(fmt::format("{} that {} {} already", alike, names(group.at("waiting")),
                                  group.at("waiting").size() == 1 ? "has" : "have"));
    row(out, moving.at("thing").get<std::string>(), texts);
  }
}

void render_entries(std::string& out, const Json& group, const char* part, const char* title) {
  fmt::format_to(std::back_inserter(out), "\n{}\n", title);
  if (group.at(part).empty()) out += "  nothing\n";
  for (const Json& entry : group.at(part)) {
    std::vector<std::string> texts;
    const auto say = [&](const std::string& port, const Json& lines) {
      for (const std::string& line : first_of(lines))
        texts.push_back(fmt::format("{}: {}", port, line));
    };
    say(group.at("active"), entry.at("only_active"));
    say(names(entry.at("ports")), entry.at("only_ports"));
    if (entry.at("only_ports").empty() && group.at("waiting").size() > 1)
      texts.push_back(fmt::format("not so on {}", names(entry.at("ports"))));
    texts.push_back(fmt::format("-> {}", entry.at("help").get<std::string>()));
    row(out, entry.at("thing").get<std::string>(), texts);
  }
}

void render_unknown(std::string& out, const Json& group) {
  if (group.at("unknown").empty()) return;
  out += "\nNOT KNOWN\n";
  for (const Json& one : group.at("unknown"))
    row(out, one.at("thing").get<std::string>(),
        {fmt::format("{}: {}", one.at("port").get<std::string>(),
                     one.at("why").get<std::string>())});
}

}  // namespace

std::string render_host(const Json& groups) {
  std::string out;
  for (const Json& group : groups) {
    const std::string name = group.at("name"), active = group.at("active");
    fmt::format_to(std::back_inserter(out), "{}{}: {} is active", out.empty() ? "" : "\n", name,
                   active);
    if (!group.at("waiting").empty())
      fmt::format_to(std::back_inserter(out), ", {} {}", names(group.at("waiting")),
                     group.at("waiting").size() == 1 ? "waits" : "wait");
    out += "\n";
    if (group.value("nothing_moves", false)) {
      out += "\nNOTHING MOVES: the identity is on the metanetwork device, whichever path it uses\n";
      continue;
    }
    render_moves(out, group);
    render_entries(out, group, "differs", "DIFFERS between the ports");
    render_entries(out, group, "lost", "WOULD BE LOST");
    render_unknown(out, group);
  }
  return out;
}

}  // namespace hanet::ctl
