// SPDX-License-Identifier: Apache-2.0
//
// The configuration as the rest of hanet sees it: complete, checked, typed.
//
// A configuration file is either accepted whole or refused whole, before anything on the host is
// touched. What is accepted needs no second look anywhere else: every value is in range, every
// name is unique, every default is filled in. Whether the named interfaces exist is a question to
// the running host, so it is a separate step (check_interfaces).
#pragma once

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "hanet/abi.h"
#include "net/types.h"
#include "policy/group.h"

namespace hanet::config {

/// What a heartbeat request looks like on the wire (spec M1).
enum class HeartbeatKind : std::uint8_t {
  Arp,      ///< ARP for an IPv4 target, neighbour solicitation for an IPv6 target; needs no address
  Icmp,     ///< ICMP or ICMPv6 echo
  Hanet,    ///< a signed Ethernet frame that another hanet's kernel side answers
  Silence,  ///< no request at all: every frame from the peer counts (spec M5)
};

/// How a standby waits (spec: terms), or that the identity is on a device of its own (spec A3).
enum class StandbyMode : std::uint8_t { Hot, Warm, Cold, Metanet };

/// [group.failback]: when the identity returns to the primary by itself (spec F9).
struct FailbackConfig {
  policy::Failback policy = policy::Failback::Never;
  std::chrono::milliseconds hold_down{10'000};          ///< 100 ms .. 1 h of working before that
  std::chrono::milliseconds damping_half_life{15'000};  ///< 100 ms .. 1 h, see policy/damping.h
};

/// An IPv4 or IPv6 address in network byte order; the first 4 or all 16 bytes are used.
struct IpAddress {
  int family = AF_INET;  ///< AF_INET or AF_INET6
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const IpAddress&) const = default;
  /// RFC 5952 text.
  [[nodiscard]] std::string text() const;
  /// Dotted-quad IPv4 or IPv6 without zone and prefix length; nothing else is an address.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
  /// 169.254.0.0/16 or fe80::/10.
  [[nodiscard]] bool is_link_local() const;
  /// Why this cannot be the address of one host on a network ("a multicast address"); empty if it
  /// can.
  [[nodiscard]] std::string_view why_not_a_host() const;
};

/// [group.warm]: what a warm standby is called while it waits (spec F6).
struct WarmConfig {
  std::optional<IpAddress> dummy_address;    ///< empty: from a documentation range (RFC 5737)
  std::optional<net::MacAddress> dummy_mac;  ///< empty: a random locally administered one
};

/// What the kernel side does when hanetd has been away for a time (spec D7), by the numbers of
/// enum hanet_on_daemon_loss.
enum class OnDaemonLoss : std::uint8_t {
  Steer,    ///< all that it can, as long as it takes
  Detect,   ///< counts verdicts, and begins no bridging
  Release,  ///< bridges nothing, and a port that waits passes everything
};

/// Values that `hanetctl set` can change while hanetd runs. Ranges: limits.h.
struct LiveParameters {
  std::chrono::microseconds interval{10'000};  ///< 100 us .. 10 s
  std::uint32_t multiplier = 3;                ///< 1 .. 50
  std::uint32_t up_count = 3;                  ///< 1 .. 1000 replies in a row before "up"
  std::chrono::microseconds link_poll{1'000};  ///< 50 us .. 1 s
  /// 1 .. 100: a trunk is down when so much of its capacity is lost (policy/path.h).
  std::uint32_t threshold_percent = policy::kDefaultThreshold;
  bool enabled = true;  ///< false: watch, but never switch
  OnDaemonLoss on_daemon_loss = OnDaemonLoss::Steer;
  std::chrono::milliseconds daemon_loss{10'000};  ///< 5 s .. 1 h: so long hanetd may be away
};

/// How the ports of a trunk are used as one link (spec T3).
enum class TrunkMode : std::uint8_t {
  Independent,  ///< plain switches: no MAC address leaves by two ports at a time
  Static,       ///< the switch treats the ports as one aggregate
};

/// What a port of a trunk counts for (spec T1).
enum class Capacity : std::uint8_t {
  Count,  ///< each port the same
  Speed,  ///< its link speed
};

/// [group.trunk], and the group's `capacity`.
struct TrunkConfig {
  TrunkMode mode = TrunkMode::Independent;
  Capacity capacity = Capacity::Count;
};

/// One port of a path, with what its heartbeat needs.
struct PortConfig {
  std::string interface;                     ///< netdev name, 1 .. 15 characters
  std::optional<IpAddress> target;           ///< overrides the group's target on this path
  std::optional<IpAddress> source;           ///< address of the probes; required for icmp over IPv4
  std::optional<HeartbeatKind> heartbeat{};  ///< overrides the group's kind on this path
  std::optional<IpAddress> gateway{};        ///< datagrams: the router to the target
  std::optional<net::MacAddress> peer_mac{};    ///< silence: whose frames count on this path
  std::optional<net::MacAddress> target_mac{};  ///< not silence: where the target (its gateway) is
};

/// A path of a group: the unit that works or has failed (spec: terms).
struct PathConfig {
  std::vector<PortConfig> ports;  ///< one, or the ports of a trunk in order
  [[nodiscard]] const PortConfig& port() const { return ports.front(); }
};

/// One path group. Everything here was checked, also in relation to the rest of the file. It has as
/// many members as a [[group]] table has keys.
struct GroupConfig {
  std::string name;               ///< the metaname, 1 .. 15 characters, unique
  std::vector<PathConfig> paths;  ///< [0] is the primary, the rest are alternates in order
  StandbyMode standby_mode = StandbyMode::Hot;
  HeartbeatKind heartbeat = HeartbeatKind::Arp;
  IpAddress target;  ///< the primary's, if the file gives only targets per path; unspecified: none
  std::optional<net::MacAddress> peer_mac;     ///< silence: whose frames count; empty: the target's
  std::optional<net::MacAddress> target_mac;   ///< not silence: empty: it is asked for
  std::filesystem::path key_file{};            ///< hanet: absolute
  std::vector<hanet_key> keys{};               ///< what stands in it; see load_keys()
  std::uint16_t ether_type = HANET_BEAT_TYPE;  ///< hanet: of its frames, kEtherType
  std::optional<std::uint16_t> udp_port;       ///< hanet: of its datagrams; empty: it has frames
  std::vector<IpAddress> further_targets{};    ///< up to 3 whom every port asks beside its target
  std::uint32_t quorum = 1;  ///< so many of them all have to answer, 1 .. all (spec M9)
  bool both_ends = false;    ///< the targets are another node's sources: hanet runs there, too
  LiveParameters live;
  /// An idle path is down until it is needed (cold, warm) and can not be watched.
  [[nodiscard]] bool standby_is_down() const {
    return standby_mode == StandbyMode::Warm || standby_mode == StandbyMode::Cold;
  }
  /// The identity is on a metanetwork device, called by the metaname, and never moves.
  [[nodiscard]] bool has_device() const { return standby_mode == StandbyMode::Metanet; }
  bool take_over = false;  ///< metanet: the identity is the primary's when hanetd does not run
  bool bridging = true;    ///< hot only: the kernel steers on the verdict, before user space
  bool restore = true;     ///< false: let others take back what was moved
  bool move_mac = true;    ///< false: every port keeps its own MAC address
  std::uint32_t announce_count = 6;             ///< 0 .. 60 announcements per address
  std::chrono::milliseconds announce_gap{100};  ///< 1 .. 10000, and then twice as long
  /// 0 .. 60000: for this long after a switchover the new path is not judged by its heartbeats, so
  /// that the other end of a pair can finish (spec F7).
  std::chrono::milliseconds delay{0};
  /// Cold and warm: the standby is not enabled before the delay either.
  bool delay_enabling = false;
  FailbackConfig failback;
  WarmConfig warm;
  TrunkConfig trunk;
  [[nodiscard]] bool has_trunk() const {
    return std::ranges::any_of(paths, [](const PathConfig& path) { return path.ports.size() > 1; });
  }
  std::chrono::milliseconds cold_retry{10'000};  ///< cold: then a dead path may be tried again

  /// The peer that the heartbeat of `port` asks: the port's own target, or else the group's.
  [[nodiscard]] const IpAddress& target_of(const PortConfig& port) const {
    return port.target ? *port.target : target;
  }
  /// Everybody whom `port` asks, its target first.
  [[nodiscard]] std::vector<IpAddress> targets_of(const PortConfig& port) const {
    std::vector<IpAddress> targets{target_of(port)};
    targets.insert(targets.end(), further_targets.begin(), further_targets.end());
    return targets;
  }
  [[nodiscard]] HeartbeatKind kind_of(const PortConfig& port) const {
    return port.heartbeat.value_or(heartbeat);
  }
  /// The MAC address that was written for the peer of this path; empty: the network tells it.
  [[nodiscard]] std::optional<net::MacAddress> peer_mac_of(const PortConfig& port) const {
    const bool silent = kind_of(port) == HeartbeatKind::Silence;
    const std::optional<net::MacAddress>& own = silent ? port.peer_mac : port.target_mac;
    return own || port.target ? own : silent ? peer_mac : target_mac;
  }
  /// A path of kind hanet may name its peer by a MAC address alone, one of kind silence as well.
  [[nodiscard]] bool asks_an_address(const PortConfig& port) const {
    if (kind_of(port) == HeartbeatKind::Silence) return !peer_mac_of(port);
    return target_of(port) != IpAddress{};
  }
  /// Are the heartbeats of a path signed?
  [[nodiscard]] bool signs() const {
    return std::ranges::any_of(paths, [&](const PathConfig& path) {
      return kind_of(path.port()) == HeartbeatKind::Hanet;
    });
  }
  /// Is a path watched by listening?
  [[nodiscard]] bool watches_silence() const {
    return std::ranges::any_of(paths, [&](const PathConfig& path) {
      return kind_of(path.port()) == HeartbeatKind::Silence;  // one kind for all ports of a trunk
    });
  }
};

/// A whole file.
struct Config {
  std::string log_level = "info";
  std::vector<GroupConfig> groups;
  std::string text{};  ///< that it was read from
};

/// Reads and checks a file. The error text is ready to print: one or more lines
/// "FILE:LINE: key 'group[0].heartbeat.interval_us': found 7, allowed: 100 to 10000000", one per
/// mistake, sorted by line, every mistake of the file at once. A syntax error is the exception:
/// what follows it cannot be read, so it comes alone. Error::code is the errno value when the file
/// cannot be opened or read, ENODATA when nothing is wrong but that nothing is configured, and 0
/// otherwise. Key files are read as well (load_keys). Touches nothing. Thread-safe.
[[nodiscard]] Result<Config> load(const std::filesystem::path& file);

/// The same for text in memory; `name` stands for the file name in messages. Reads no key file.
[[nodiscard]] Result<Config> parse(std::string_view text, std::string_view name);

/// Reads the key files of the groups that sign. The error tells every mistake of all of them.
[[nodiscard]] Status load_keys(Config& config);

/// The interfaces of the configuration that are not in the caller's network namespace and may not
/// be missing (see `pulled` below).
[[nodiscard]] Result<std::vector<std::string>> ports_not_here(const Config& config,
                                                              std::span<const std::string> pulled);

/// What a device on top of a port is, or one that the port is a member of, or a VLAN that the other
/// path has not. Somebody who writes a configuration is told that it can not be so. At the start of
/// a service it is what has come since: hanetd would go on with an alarm (group/uppers.h) if it had
/// not been started anew, so it starts with one.
enum class DeviceOnPort : std::uint8_t { IsMistake, IsAlarm };

/// Checks that every interface named exists in the caller's network namespace, is an Ethernet
/// device and is not a member of a bridge, bond or the like (a VRF is no obstacle: its members keep
/// their own traffic), and that a VLAN of one path is on the other one too. The error names group,
/// key and interface, and lists what could be used: "FILE: key 'group[0].primary': found 'eth7',
/// which is not here; allowed: one of eth0, eth1", one line per mistake. `name` stands for the file
/// name. One port of a group may be missing if it is among `pulled`: it was there since the host
/// was booted.
[[nodiscard]] Status check_interfaces(const Config& config, std::string_view name,
                                      std::span<const std::string> pulled = {},
                                      DeviceOnPort on_port = DeviceOnPort::IsMistake);

/// Whether the VLANs on a group's ports are a part of its identity.
enum class VlanPolicy : std::uint8_t { Move, Refused };
/// A trunk's are not: every port of it would need them.
[[nodiscard]] VlanPolicy vlans_of(const GroupConfig& group);

/// Is it the EtherType of a protocol that a host speaks? Such a heartbeat would not be answered.
[[nodiscard]] bool is_taken_ether_type(std::int64_t type);

/// Why an interface that is here now cannot be a port ("is a member of the bridge 'br0'"); empty if
/// it can.
[[nodiscard]] Result<std::string> why_not_a_port(const std::string& interface, VlanPolicy vlans);
/// A card, or a veth that plays one: not a device on top of others, which borrows their MAC
/// address.
[[nodiscard]] bool is_card(const std::string& interface);

/// What a warm standby of a group is called unless the file says it: in 203.0.113.0/24, which is
/// for documentation (RFC 5737), so no network uses it.
[[nodiscard]] IpAddress default_dummy(std::size_t group);

[[nodiscard]] std::string_view to_text(HeartbeatKind kind);
[[nodiscard]] std::string_view to_text(StandbyMode mode);
[[nodiscard]] std::string_view to_text(OnDaemonLoss loss);
[[nodiscard]] std::string_view to_text(TrunkMode mode);
[[nodiscard]] std::string_view to_text(Capacity capacity);

}  // namespace hanet::config
