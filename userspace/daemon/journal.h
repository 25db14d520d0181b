// SPDX-License-Identifier: Apache-2.0
//
// What happened, as entries of the journal that programs can filter (spec O5).
//
// Each kind of event has a MESSAGE_ID for good, and with it a text of tools/install/hanet.catalog
// that `journalctl -x` shows: what it means and what to do.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/log.h"
#include "group/event.h"

namespace hanet::daemon {

struct MessageId {
  std::string_view event;  ///< of group::kEvents
  std::string_view id;     ///< 128 bits, hexadecimal
};

/// Random, and never changed: people filter by them.
inline constexpr std::array kMessageIds{
    MessageId{"alarm", "8878f9370e754f269d29d15257ab7543"},
    MessageId{"alarm-cleared", "2a8b058982774720ba67185e674265ea"},
    MessageId{"path-down", "457842a0b4ed4d1e9d7bc61326c51104"},
    MessageId{"path-up", "7079ba1ea0a744ebb8b83bdb19193cd9"},
    MessageId{"path-unknown", "3d61b69cbe7a44bfb9d65432f155ef57"},
    MessageId{"port-down", "c68a78cb31c54778b33befff282f5055"},
    MessageId{"port-up", "81cc1f33551942b387cc58755c163a6d"},
    MessageId{"port-removed", "7979c73eda124618b1f225087263fecd"},
    MessageId{"port-back", "e7868df4c2b54df6a6737efb0d973524"},
    MessageId{"came-first", "3a4d8b553a80481ba95c63ce79a8fba1"},
    MessageId{"target-moved", "f792317ba34045e994ea8465d427f498"},
    MessageId{"target-missing", "340d274336514324927b6e7130eb0704"},
    MessageId{"switchover", "558155d11d38497bae6f4e8d6f42f5ae"},
    MessageId{"switchover-abandoned", "0a34640525b64d339ac8e3e2a5f5be81"},
    MessageId{"bridging-released", "732a0c5e8ddd4362a93aaa7ae7b8f76f"},
    MessageId{"restored", "1a5514a23cc24c3394dfd99770b6b0a2"},
    MessageId{"kept", "a0a1001185274f0b9ab3c72f6cfbb5a3"},
    MessageId{"recovered", "31bf72684ded4661ad61d29616348ece"},
    MessageId{"group-enabled", "1744ccdc9c7742bdb96bc9de1c87ba3b"},
    MessageId{"group-disabled", "79815c51cdd3479488404058f346f977"},
    MessageId{"set", "db19f7724cfa483a800245053aa3ac96"},
    MessageId{"reload", "590b5042ec064e1ba62a8353bedb3050"},
    MessageId{"reload-refused", "a34520a932b7486ea5c6e3b6d115fde9"},
    MessageId{"reload-failed", "0199fbf765af421a9b82537ec69e65c7"},
    MessageId{"taken-over", "e4de855f8aa44552907615b1d1675fe1"},
    MessageId{"stood-still", "554d422cae14416a9a0e68181f744473"},
    MessageId{"reload-confirmed", "7af98658011a4c13ae55c31f5abd4954"},
    MessageId{"reload-undone", "1c8b7bb344b74fdd92691c32d66cfb69"},
};

static_assert(std::ranges::is_permutation(kMessageIds, group::kEvents, {}, &MessageId::event),
              "each event has an entry of its own, and each entry an event");

/// Of an event.
[[nodiscard]] std::string_view message_id_of(std::string_view event);
/// How loud an event is.
[[nodiscard]] log::Level level_of(std::string_view event);
/// The fields of an entry, each "NAME=value", of an event as report::notice_json() makes it: beside
/// the journal's own, GROUP=, PATH=, EVENT= and each fact by its name, CAUSE= for one.
[[nodiscard]] std::vector<std::string> journal_fields(const Json& event);
/// "moved_us" as a journal field or a variable of the environment: in capitals.
[[nodiscard]] std::string variable_name_of(std::string name);
/// Sends them. May wait for the journal.
void send_to_journal(const Json& event);

}  // namespace hanet::daemon
