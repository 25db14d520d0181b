// SPDX-License-Identifier: Apache-2.0
//
// What a decision is called for people; see group.h.
#include "policy/group.h"

namespace hanet::policy {

std::string_view to_text(Cause cause) {
  switch (cause) {
    case Cause::HeartbeatLost:
      return "heartbeat lost";
    case Cause::CarrierLost:
      return "carrier lost";
    case Cause::AdminDown:
      return "administratively down";
    case Cause::InterfaceGone:
      return "interface gone";
    case Cause::GroupEnabled:
      return "group enabled";
    case Cause::Manual:
      return "manual switch";
    case Cause::Failback:
      return "failback";
    case Cause::PeerElsewhere:
      return "the peer is elsewhere";
  }
  return "?";
}

std::string_view to_text(Failback failback) {
  switch (failback) {
    case Failback::Never:
      return "never";
    case Failback::Failure:
      return "failure";
    case Failback::Better:
      return "better";
    case Failback::Always:
      return "always";
  }
  return "?";
}

std::string_view rule_of(Cause cause) {
  switch (cause) {
    case Cause::HeartbeatLost:
      return "the detect multiplier of requests stood unanswered for the detection time (M3)";
    case Cause::CarrierLost:
      return "the port of the active path lost its carrier (M4)";
    case Cause::AdminDown:
      return "the interface of the active path was set down (M4)";
    case Cause::InterfaceGone:
      return "the interface of the active path was removed (M4)";
    case Cause::GroupEnabled:
      return "a person enabled the group while its active path was down (D4)";
    case Cause::Manual:
      return "a person asked for it (A2)";
    case Cause::Failback:
      return "the primary has worked for the hold-down time and does not flap (F9)";
    case Cause::PeerElsewhere:
      return "both paths work and the other end stays on another one (F8)";
  }
  return "?";
}

}  // namespace hanet::policy
