// SPDX-License-Identifier: Apache-2.0
//
// See ruleset.h. The listing is taken as text and not as JSON, because its lines are what a person
// has written and is shown again.
#include "net/ruleset.h"

#include <fmt/format.h>

#include <sstream>

#include "core/program.h"

namespace hanet::net {
namespace {

std::string trimmed(std::string_view line) {
  const std::size_t from = line.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return std::string(line.substr(from, line.find_last_not_of(" \t") + 1 - from));
}

// A flow table's devices are written bare by some versions of nft.
std::string with_quotes(const std::string& line) {
  if (!line.starts_with("devices = {") || line.contains('"')) return line;
  std::string quoted;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const std::size_t end = std::min(word.find_first_of(",;"), word.size());
    const bool is_device =
        word != "devices" && word != "=" && word != "{" && end > 0 && !word.starts_with('}');
    quoted += is_device ? fmt::format(" \"{}\"{}", word.substr(0, end), word.substr(end))
                        : fmt::format("{}{}", quoted.empty() ? "" : " ", word);
  }
  return quoted;
}

// iptables writes names bare: "-A OUT -o eth0 -j ACCEPT".
std::vector<FirewallRule> legacy_rules(const std::string& program) {
  std::vector<FirewallRule> rules;
  const Result<std::string> told = output_of({program});
  if (!told) return rules;
  std::istringstream lines(*told);
  std::string table;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('*')) table = line.substr(1);
    if (!line.starts_with("-A")) continue;
    std::string quoted;
    bool is_device = false;
    std::istringstream words(line);
    for (std::string word; words >> word; is_device = word == "-i" || word == "-o")
      quoted += (quoted.empty() ? "" : " ") + (is_device ? fmt::format("\"{}\"", word) : word);
    rules.push_back({.where = fmt::format("iptables table {}", table), .text = quoted});
  }
  return rules;
}

}  // namespace

std::vector<FirewallRule> rules_in(std::string_view ruleset) {
  std::vector<FirewallRule> rules;
  std::vector<std::string> blocks;
  std::istringstream lines{std::string(ruleset)};
  for (std::string raw; std::getline(lines, raw);) {
    const std::string line = trimmed(raw);
    if (line.empty()) continue;
    const bool is_block =
        line.ends_with('{') &&
        (blocks.empty() || line.starts_with("chain ") || line.starts_with("set ") ||
         line.starts_with("map ") || line.starts_with("flowtable "));
    if (line == "}" && !blocks.empty()) {
      blocks.pop_back();
    } else if (is_block) {
      blocks.push_back(trimmed(std::string_view(line).substr(0, line.size() - 1)));
    } else {
      rules.push_back({.where = fmt::format("{}{}{}", blocks.empty() ? "" : blocks.front(),
                                            blocks.size() > 1 ? " " : "",
                                            blocks.size() > 1 ? blocks.back() : ""),
                       .text = with_quotes(line)});
    }
  }
  return rules;
}

Result<std::vector<FirewallRule>> firewall_rules() {
  Result<std::string> told = output_of({"nft", "list", "ruleset"});
  if (!told && told.error().code == ENOENT)
    return errno_error(ENOENT, "nft is not here to list the firewall's rules");
  if (!told) return pass_on(told);
  std::vector<FirewallRule> rules = rules_in(*told);
  for (const char* program : {"iptables-legacy-save", "ip6tables-legacy-save"})
    for (FirewallRule& rule : legacy_rules(program)) rules.push_back(std::move(rule));
  return rules;
}

bool names_device(const FirewallRule& rule, std::string_view device) {
  return rule.text.contains(fmt::format("\"{}\"", device));
}

std::string without_names(const FirewallRule& rule, std::span<const std::string> devices) {
  std::string text = fmt::format("{}: {}", rule.where, rule.text);
  for (const std::string& device : devices) {
    const std::string quoted = fmt::format("\"{}\"", device);
    for (std::size_t at = text.find(quoted); at != std::string::npos; at = text.find(quoted, at))
      text.replace(at, quoted.size(), "PORT");
  }
  return text;
}

}  // namespace hanet::net
