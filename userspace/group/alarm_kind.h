// SPDX-License-Identifier: Apache-2.0
//
// What an alarm is about, in a word that programs can count and match; the text of an alarm is for
// people and names ports, hosts and what to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hanet::group {

/// In place of a group, in what concerns the service.
inline constexpr const char* kOfHanetd = "hanetd";

enum class AlarmKind : std::uint8_t {
  NoWorkingPath,       ///< the active path is down and nothing can take over
  StandbyDown,         ///< a standby is down before it is needed
  PeerUnheard,         ///< nothing was ever heard on a silent path
  IdentityIncomplete,  ///< a switchover could not put all of the identity on the new port
  IdentityContested,   ///< another program changes the identity again and again
  RepairRefused,       ///< what others took could not be put back
  SnapshotNotKept,     ///< no snapshot of the identity survives hanetd
  StandbyDiffers,      ///< something would be lost, or be different, on a port that waits
  DeviceOnPort,        ///< a device on top of a port would be left behind, or has taken the port
  ProgramInFront,      ///< another program sees the port's frames before hanet
  RequestsLimited,     ///< the network answers a part of the requests only
  TargetTrouble,       ///< a target does not answer, while others of the port do
  TargetContested,     ///< two MAC addresses answer for one target
  GroupLate,           ///< a group can not begin, mostly for a card that is not here yet
  FileUnconfirmed,     ///< what runs is not what a restart would run, for want of a confirmation
};
inline constexpr std::size_t kAlarmKinds = static_cast<std::size_t>(AlarmKind::FileUnconfirmed) + 1;

[[nodiscard]] constexpr std::string_view to_text(AlarmKind kind) {
  switch (kind) {
    case AlarmKind::NoWorkingPath:
      return "no working path";
    case AlarmKind::StandbyDown:
      return "standby down";
    case AlarmKind::PeerUnheard:
      return "peer unheard";
    case AlarmKind::IdentityIncomplete:
      return "identity incomplete";
    case AlarmKind::IdentityContested:
      return "identity contested";
    case AlarmKind::RepairRefused:
      return "repair refused";
    case AlarmKind::SnapshotNotKept:
      return "snapshot not kept";
    case AlarmKind::StandbyDiffers:
      return "standby differs";
    case AlarmKind::DeviceOnPort:
      return "device on port";
    case AlarmKind::ProgramInFront:
      return "program in front";
    case AlarmKind::RequestsLimited:
      return "requests limited";
    case AlarmKind::TargetTrouble:
      return "target trouble";
    case AlarmKind::TargetContested:
      return "target contested";
    case AlarmKind::GroupLate:
      return "group late";
    case AlarmKind::FileUnconfirmed:
      return "file unconfirmed";
  }
  return "?";
}

}  // namespace hanet::group
