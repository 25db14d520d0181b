// SPDX-License-Identifier: Apache-2.0
//
// See journal.h.
#include "daemon/journal.h"

#include <fmt/format.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include <algorithm>

namespace hanet::daemon {
std::string variable_name_of(std::string name) {
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

std::string_view message_id_of(std::string_view event) {
  const auto* const known = std::ranges::find(kMessageIds, event, &MessageId::event);
  return known == kMessageIds.end() ? std::string_view() : known->id;
}

log::Level level_of(std::string_view event) {
  if (event == "alarm") return log::Level::Error;
  if (event == "path-down" || event == "reload-refused" || event == "reload-failed" ||
      event == "stood-still" || event == "reload-undone")
    return log::Level::Warning;
  return log::Level::Notice;
}

std::vector<std::string> journal_fields(const Json& event) {
  const auto text = [&](const char* key) { return event.at(key).get<std::string>(); };
  const std::string kind = text("event");
  std::vector<std::string> fields{
      fmt::format("MESSAGE={}: {}", text("group"), text("text")),
      fmt::format("PRIORITY={}", static_cast<int>(level_of(kind))),
      "SYSLOG_IDENTIFIER=hanetd",
      fmt::format("GROUP={}", text("group")),
      fmt::format("EVENT={}", kind),
      fmt::format("MONOTONIC_US={}", event.at("at_ns").get<std::uint64_t>() / 1000)};
  if (const std::string path = text("path"); !path.empty()) fields.push_back("PATH=" + path);
  if (const std::string_view id = message_id_of(kind); !id.empty())
    fields.push_back(fmt::format("MESSAGE_ID={}", id));
  for (const auto& [name, value] : event.at("facts").items())
    fields.push_back(fmt::format("{}={}", variable_name_of(name), value.get<std::string>()));
  return fields;
}

void send_to_journal(const Json& event) {
  std::vector<std::string> fields = journal_fields(event);
  std::vector<iovec> parts;
  for (std::string& field : fields) parts.push_back({field.data(), field.size()});
  // Without a journal nobody could be told that.
  [[maybe_unused]] const int sent =
      ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace hanet::daemon
