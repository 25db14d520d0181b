// SPDX-License-Identifier: Apache-2.0
//
// See path.h.
#include "policy/path.h"

namespace hanet::policy {
namespace {

DownReason down_reason(const PortState& port) {
  if (port.taken_out) return DownReason::TakenOut;
  if (!port.present) return DownReason::InterfaceGone;
  if (!port.admin_up) return DownReason::AdminDown;
  if (port.carrier == false) return DownReason::CarrierLost;
  if (port.session == SessionState::Down) return DownReason::HeartbeatLost;
  return DownReason::None;
}

}  // namespace

DownReason down_reason(const PathState& path) {
  const PortState& port = path.ports.front();
  // An interface that is gone is gone, whether anybody watches it or not.
  if (!path.watched && port.present) return DownReason::None;
  return down_reason(port);
}

Health health_of(const PathState& path) {
  if (down_reason(path) != DownReason::None) return Health::Down;
  if (!path.watched) return Health::Unknown;
  return path.ports.front().session == SessionState::Up ? Health::Up : Health::Unknown;
}

std::string_view to_text(Health health) {
  switch (health) {
    case Health::Unknown:
      return "unknown";
    case Health::Up:
      return "up";
    case Health::Down:
      return "down";
  }
  return "?";
}

std::string_view to_text(DownReason reason) {
  switch (reason) {
    case DownReason::None:
      return "";
    case DownReason::TakenOut:
      return "taken out";
    case DownReason::InterfaceGone:
      return "interface gone";
    case DownReason::AdminDown:
      return "administratively down";
    case DownReason::CarrierLost:
      return "carrier lost";
    case DownReason::HeartbeatLost:
      return "heartbeat lost";
  }
  return "?";
}

std::string_view to_text(Place place) {
  switch (place) {
    case Place::Unknown:
      return "";
    case Place::Elsewhere:
      return "elsewhere";
    case Place::Here:
      return "here";
    case Place::HereByHand:
      return "here by hand";
  }
  return "?";
}

std::string_view to_text(SessionState state) {
  switch (state) {
    case SessionState::Unknown:
      return "unknown";
    case SessionState::Up:
      return "up";
    case SessionState::Down:
      return "down";
    case SessionState::Paused:
      return "paused";
  }
  return "?";
}

}  // namespace hanet::policy
