// SPDX-License-Identifier: Apache-2.0
//
// The kernel engine, as user space holds it: loads, attaches, pins; typed events out, live
// parameters in.
//
// Nothing outside this folder knows BPF. Ports and sessions are named by the small numbers that
// are their index in the maps. The engine decides nothing about groups: it reports what the kernel
// side saw and sets what the failover asks for.
//
// Threading: one thread owns an Engine. The Sender's thread reads sessions through the same memory
// with atomic loads; the Ticker's thread only runs a program.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/fd.h"
#include "core/result.h"
#include "engine/attach.h"
#include "engine/left_engine.h"
#include "engine/maps.h"
#include "engine/pacer.h"
#include "engine/quorum.h"
#include "engine/ticker.h"
#include "hanet/abi.h"
#include "net/types.h"

struct hanet_bpf;
struct ring_buffer;

namespace hanet::engine {

using PortIndex = std::uint32_t;
using SessionIndex = std::uint32_t;
using GroupIndex = std::uint32_t;

/// Names of the pinned links of the tracing programs, in the order in which they are attached.
inline constexpr std::array<const char*, 2> kTracing{"link_carrier_off", "link_carrier_on"};

struct PortSpec {
  std::string name;
  unsigned ifindex = 0;  ///< 0: the interface is not there yet, see rebind_port()
  GroupIndex group = 0;
  net::MacAddress probe_mac{};
  std::uint32_t probe_ipv4 = 0;               ///< network order; 0: none
  std::array<std::uint8_t, 16> probe_ipv6{};  ///< all zero: none
  std::uint32_t quorum = 1;                   ///< so many of its sessions have to be up
  std::uint32_t targets = 1;                  ///< it will be given so many sessions
  net::MacAddress own_mac{};  ///< heartbeats to it are answered as well; all zero: none
  std::uint16_t beat_type = HANET_BEAT_TYPE;  ///< EtherType of heartbeats of kind hanet
  std::uint16_t beat_port = 0;                ///< UDP port of those that are datagrams; 0: none are
};

/// A metanetwork device: an interface that has the identity of a group for good (spec A3).
struct DeviceSpec {
  GroupIndex group = 0;
  std::string name;      ///< for messages
  unsigned ifindex = 0;  ///< what comes in is received there
  unsigned sends = 0;    ///< its frames are taken there: at the other end of a pair, or itself
  net::MacAddress mac{};
  std::vector<std::uint32_t> leads;  ///< a port of each path, 1 .. HANET_MAX_PATHS, in order
};

struct SessionSpec {
  PortIndex port = 0;
  GroupIndex group = 0;
  int family = 0;  ///< AF_INET or AF_INET6
  hanet_heartbeat_kind kind = HANET_HEARTBEAT_NEIGHBOUR;
  std::array<std::uint8_t, 16> target{};
  std::array<std::uint8_t, 16> next_hop{};  ///< whose MAC address requests go to
  std::array<std::uint8_t, 16> source{};
  std::optional<net::MacAddress> peer_mac;  ///< for good; empty: the network tells it
  bool other_end = false;                   ///< hanet runs there too, and is believed
};

/// Several ports used as one link. Its ports are named by any of them everywhere else: whatever the
/// engine is told about the lead of a trunk concerns the whole trunk.
struct TrunkSpec {
  struct Port {
    PortIndex port = 0;
    std::uint32_t weight = 1;    ///< share of the capacity, not 0
    net::MacAddress wire_mac{};  ///< independent: the source of what leaves here beside the speaker
  };
  GroupIndex group = 0;
  hanet_trunk_mode mode = HANET_TRUNK_INDEPENDENT;
  std::vector<Port> ports;  ///< 2 .. HANET_TRUNK_PORTS
};

/// Who tells that a carrier came or went, the best one first; one at a time (bpf/port.bpf.h).
enum class LinkSource : std::uint8_t { Fentry, Poll, Rtnetlink };

/// What this kernel offers, probed, and what was chosen; shown in the status. How XDP is attached
/// is the driver's choice, so that is known for each port (PortAttachment).
struct Capabilities {
  std::string link_source;  ///< e.g. "bpf_timer poll", with the reason when it is not the best one
  std::vector<std::string> link_sources;  ///< all that there are, the best one first
  std::vector<std::string> tc_modes;      ///< "tcx", "clsact"
  std::string deadlines = "bpf_timer";    ///< who keeps them, with the reason when it is hanetd
  std::vector<std::string> timers;        ///< "bpf_timer", where the kernel takes it
  std::string pacer;                      ///< who sends: "kernel (fq)", or hanetd and why
};

/// More functions than a class of this house should have: each is one thing that the kernel side
/// can be told, and all of them write maps of one skeleton, which has one owner.
class Engine {
 public:
  struct Options {
    std::filesystem::path pin_directory;
    std::string
        no_pacer_because;   ///< hanetd sends, whatever the kernel can; empty: only where it must
    bool bpf_timer = true;  ///< false: hanetd keeps the deadlines, whatever the kernel takes
  };
  /// Called for each ring record, with the time at which user space had it.
  using EventHandler = std::function<void(const hanet_event&, MonotonicTime received)>;

  /// Loads programs and maps and pins the maps. What a killed instance left goes on until
  /// take_over(); that no other instance is alive is for the caller to know (see net/port_lock.h).
  [[nodiscard]] static Result<std::unique_ptr<Engine>> load(const Options& options);
  /// Loads nothing and attaches nothing: for a look at the host, which asks nothing of the maps.
  [[nodiscard]] static std::unique_ptr<Engine> without_programs() {
    return std::unique_ptr<Engine>(new Engine);
  }
  /// Takes off what a killed instance left in the kernel (spec D7): programs, maps, and the pair of
  /// the pacer. That none is alive is for the caller to know. Returns whether there was anything.
  [[nodiscard]] static Result<bool> take_off_left(const std::filesystem::path& pin_directory);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  /// Detaches everything that was attached and removes the pins.
  ~Engine();

  /// Attaches the programs to a port and starts its link poll.
  [[nodiscard]] Result<PortIndex> add_port(const PortSpec& spec);
  /// Makes a trunk of ports that were added.
  [[nodiscard]] Status add_trunk(const TrunkSpec& spec);
  /// Ends everything of a group: its ports, sessions and trunks, and what was said of its identity.
  /// The programs stay attached for a port that is added on the same interface: attaching may
  /// bounce a card. Returns the sessions, which the sender must not send for any more.
  std::set<SessionIndex> remove_group(GroupIndex group);
  /// Detaches what no port has taken over.
  void detach_leftovers();
  /// What the port counts for from now on.
  void set_weight(PortIndex port, std::uint32_t weight);
  /// Do the maps have the carrier of this very moment? What is polled or told comes a little later.
  [[nodiscard]] bool sees_every_edge() const { return link_source_ == LinkSource::Fentry; }
  /// fentry sees edges only: does what rtnetlink says differ from what they add up to? It may be
  /// old news, or the first of a port, or an edge was missed (a BPF program does not run inside
  /// itself). A fresh look tells.
  [[nodiscard]] bool doubts_carrier(PortIndex port, bool up) const;
  /// What the fresh look said. `last_edge`: the port's carrier_changed_ns from before it; with an
  /// edge since then the look is old.
  void learn_carrier(PortIndex port, bool up, std::uint64_t last_edge);
  /// rtnetlink says so. Where the kernel side sees it by itself, it knew before.
  void hear_carrier_lost(PortIndex port);
  /// What the port's frames are called while another port speaks as the identity.
  void set_wire_mac(PortIndex port, const net::MacAddress& mac);
  /// The interface is gone or given back: nothing of hanet's stays on it. The port and its session
  /// keep their places.
  void unbind_port(PortIndex port);
  /// Attaches a port that was unbound to another interface.
  [[nodiscard]] Status rebind_port(PortIndex port, unsigned ifindex, const std::string& name);

  /// Prepares a session; it stays paused until start_sessions(). All of a port's are added one
  /// after the other, at most HANET_PORT_TARGETS.
  [[nodiscard]] Result<SessionIndex> add_session(const SessionSpec& spec);
  /// Makes the state of the port's sessions unknown and lets requests count from now on.
  [[nodiscard]] Status start_sessions(PortIndex port);
  void pause_sessions(PortIndex port);
  /// Requests of the session leave no oftener than this from the next one on; zero: as the
  /// parameters say.
  void set_pace(SessionIndex session, std::chrono::microseconds pace);

  /// The interface's own address has changed (PortSpec::own_mac).
  void set_own_mac(PortIndex port, const net::MacAddress& mac);
  /// Its IP addresses have changed: where datagrams to that MAC address are answered. IPv4 ones are
  /// mapped (abi.h, hanet_beat_way). The error is that of the first that could not be entered.
  [[nodiscard]] Status set_own_addresses(PortIndex port, std::set<net::Ipv6Bytes> addresses);
  /// Sessions of other hosts that ask this port.
  struct Asker {
    hanet_beat_asker session;
    hanet_beat_peer peer;
  };
  [[nodiscard]] std::vector<Asker> askers(PortIndex port) const;
  /// What a group's heartbeats of kind hanet are signed with: at most HANET_KEYS, requests with the
  /// first; none: it neither signs nor answers. No heartbeat is missed by a key that stays.
  [[nodiscard]] Status set_keys(GroupIndex group, std::span<const hanet_key> wanted);

  [[nodiscard]] const hanet_session& session(SessionIndex index) const { return sessions_[index]; }
  [[nodiscard]] const hanet_port& port(PortIndex index) const { return ports_[index]; }
  /// Of a port, in the order of its targets.
  [[nodiscard]] auto sessions_of(PortIndex port) const {
    const SessionIndex first = ports_[port].targets == 0 ? 0 : ports_[port].session;
    return std::views::iota(first, first + ports_[port].targets);
  }
  [[nodiscard]] PortVerdict verdict(PortIndex port) const;
  /// The one that made the port's verdict: its times are the port's. A port has one.
  [[nodiscard]] SessionIndex decider(PortIndex port) const {
    return ports_[port].session + static_cast<SessionIndex>(verdict(port).decider);
  }
  [[nodiscard]] const hanet_session& deciding_session(PortIndex port) const {
    return sessions_[decider(port)];
  }
  /// The last moments before the session's newest down verdict, as the kernel side has kept them.
  [[nodiscard]] const hanet_flight& flight(SessionIndex index) const { return flights_[index]; }
  /// The trunk that the port belongs to; nullptr for the only port of a path.
  [[nodiscard]] const hanet_trunk* trunk_of(PortIndex port) const;
  [[nodiscard]] const hanet_steer& steer(PortIndex index) const { return steer_[index]; }
  [[nodiscard]] const hanet_engine& accounts() const { return accounts_[0]; }
  /// 99 of 100 timers of this machine come no later than this, by the CPU whose timers are the
  /// latest (spec M13); 0: that is not known yet, or no CPU is watched.
  [[nodiscard]] Nanoseconds usual_lateness() const;
  /// Live parameters of a group: writes take effect at the next look at its ports.
  [[nodiscard]] hanet_params& params(GroupIndex group) const { return params_[group]; }
  [[nodiscard]] const PortAttachment& attachment(PortIndex port) const {
    return attachments_[port];
  }
  [[nodiscard]] TcHook& tc(PortIndex port, Direction direction) {
    return attachments_[port].tc(direction);
  }
  /// Null: requests are sent by hanetd's thread.
  [[nodiscard]] const Pacer* pacer() const { return pacer_.get(); }
  /// Sees to it that requests go on leaving.
  void tick(MonotonicTime now) {
    if (pacer_) pacer_->tick(now);
  }
  /// hanetd runs: the kernel side leaves it to hanetd to end bridging, and does what the groups
  /// want while it runs (bpf/loss.bpf.h). To be called before anything is asked of the kernel side,
  /// and within whatever takes long. Returns for how long nobody had shown himself.
  Nanoseconds show_presence(MonotonicTime now);
  /// Every port that was there at the start has its sessions: what a killed instance left makes no
  /// verdict any more, and its pins are ours. Where nothing was left it does nothing.
  [[nodiscard]] Status take_over();
  /// A killed instance watches the port until its sessions start: it was attached all the time.
  [[nodiscard]] bool is_watched_by_left(PortIndex port) const {
    return not_taken_over_.contains(port);
  }
  /// What the ended sessions of a killed instance knew of its end, before any was taken over.
  [[nodiscard]] const std::vector<LeftEngine::Known>& taken_over() const { return taken_over_; }
  /// A killed instance's kernel side is all there is, because no port of this one has begun.
  [[nodiscard]] bool is_left_in_charge() const;
  /// Interfaces of groups that have not begun yet. What a killed instance does there goes on until
  /// the next take_over() that finds them begun, or not spared any more.
  void spare(std::set<unsigned> interfaces);
  /// Does a killed instance watch this interface, or will it again if the group there ends before
  /// take_over()?
  [[nodiscard]] bool is_left_at(unsigned ifindex) const;
  /// An end in good order takes off what a killed instance left as well.
  void end_left();
  /// A killed instance sent the group's frames by another path in its last seconds, so the switches
  /// may not know where the identity is.
  [[nodiscard]] bool was_steered_lately(GroupIndex group) const {
    return steered_lately_.contains(group);
  }
  /// When a killed instance was seen last; nothing where there was none.
  [[nodiscard]] std::optional<MonotonicTime> left_alone_since() const { return left_alone_since_; }
  /// Takes a killed instance's programs away when they steer nothing any more, which they do until
  /// it is known what is to be steered.
  void attend(MonotonicTime now);
  [[nodiscard]] const Capabilities& capabilities() const { return capabilities_; }

  /// Readable when events wait (epoll).
  [[nodiscard]] int event_descriptor() const;
  /// Delivers the waiting events. Never blocks.
  void read_events(const EventHandler& handler);

  /// What the answers for a port's probe address say of the identity (see enum hanet_claim).
  void set_claim(PortIndex port, hanet_claim claim);

  /// The path of `lead` has the identity, on the interface of `lead`: at rest, nothing bridges.
  void give_identity(PortIndex lead, const net::MacAddress& identity_mac);
  /// The path of `lead` carries nothing: it waits.
  void take_identity(PortIndex lead);
  /// Where ARP finds a group's identity: a port that does not have it does not say otherwise
  /// (bpf/mute.bpf.h). System calls only for what is new or gone; an error leaves entries out,
  /// and hinders nothing else.
  [[nodiscard]] Status name_identity(GroupIndex group, const std::set<net::ArpEntry>& entries);
  /// Lets the kernel bridge from the path of `active` to that of `standby` by itself when the
  /// former gets its verdict.
  void arm_bridging(PortIndex active, PortIndex standby, const net::MacAddress& identity_mac);
  /// For a verdict on `port` that the maps show already, although the kernel has not come to
  /// bridge.
  void bridge_on_verdict(PortIndex port);
  /// No bridging without user space.
  void disarm_bridging(PortIndex active);

  /// Attaches the program that takes the frames of a group's metanetwork device, whose ports are
  /// there. They go nowhere before use_path().
  [[nodiscard]] Status add_device(const DeviceSpec& spec);
  /// The device uses the path of `lead`, from the first to the last frame by one store.
  void use_path(GroupIndex group, PortIndex lead);
  /// What comes in at the group's ports is the device's from now on, or nobody's.
  void carry_by_device(GroupIndex group);
  /// In which order a verdict looks for another path: a port of each.
  void order_paths(GroupIndex group, std::span<const PortIndex> leads);
  /// The ports are interfaces of the host like any other again.
  void release_from_device(GroupIndex group);
  /// Lets a verdict choose another path without asking, or not.
  void arm_device(GroupIndex group, bool armed);
  void set_device_mac(GroupIndex group, const net::MacAddress& mac);
  [[nodiscard]] const hanet_device& device(GroupIndex group) const { return devices_[group]; }
  /// The interface by which a device sent that a killed instance had, or a group that was removed;
  /// 0: nothing is known of that.
  [[nodiscard]] unsigned left_path_of_device(unsigned ifindex) const;
  /// From now until give_identity(): the path of `from` passes nothing in and sends by that of
  /// `to`; frames to the identity that come in there are received at `to`. Both may belong to one
  /// trunk.
  void begin_move(PortIndex from, PortIndex to, const net::MacAddress& identity_mac);

 private:
  [[nodiscard]] Status attach_port(PortIndex index, unsigned ifindex, const std::string& name);
  void take_attachment(PortIndex index);
  [[nodiscard]] Status take_group_over(GroupIndex group);
  void take_knowledge(PortIndex port);
  void note_steering(GroupIndex group, std::span<const LeftEngine::Steering> left);
  [[nodiscard]] Status enter(PortIndex port);
  [[nodiscard]] bool steers_alike(std::span<const PortIndex> ports,
                                  std::span<const LeftEngine::Steering> left) const;
  void steer_instead(GroupIndex group);
  void go_on_as(SessionIndex index, const LeftEngine::Known& known);
  void end_left_steering(GroupIndex group);
  void end_strays();
  void give_back(PortIndex port);
  [[nodiscard]] std::set<unsigned> own_interfaces() const;
  [[nodiscard]] bool left_watches_on() const;
  [[nodiscard]] bool knows_what_to_steer(PortIndex port, MonotonicTime now) const;
  [[nodiscard]] Status enter_device(GroupIndex group);
  void take_path_of_device(GroupIndex group);
  void remove_device(GroupIndex group);
  void set_modes(GroupIndex group, hanet_steer_mode mode);
  void choose_listener(PortIndex index);
  void choose_whether_to_listen();
  [[nodiscard]] Status reserve_sessions(PortIndex port, std::uint32_t count);
  void remove_port(PortIndex index);
  Engine() = default;
  [[nodiscard]] Status open_and_load(const Options& options);
  /// Loads the object for one source of link events, and attaches that source; without bpf_timer
  /// from the first time on that the kernel refuses it. Returns 0 or -errno.
  [[nodiscard]] int try_to_load(LinkSource source);
  [[nodiscard]] int load_object(LinkSource source);
  void start_pacer(const Options& options);
  [[nodiscard]] std::string poll_name() const;
  void tell_capabilities(bool fentry, bool poll);
  [[nodiscard]] Status open_pins(const std::filesystem::path& directory);
  [[nodiscard]] Status pin();
  [[nodiscard]] Status name_pins();
  void name_tracing();
  void remove_own_pins();
  [[nodiscard]] Status map_memory();
  [[nodiscard]] Status control(hanet_control_op operation, std::uint32_t index);
  void review(PortIndex port);
  void choose_lead(PortIndex lead);
  [[nodiscard]] hanet_trunk_port* slot_of(PortIndex port);
  [[nodiscard]] std::vector<PortIndex> path_of(PortIndex port) const;

  struct SkeletonDeleter {
    void operator()(hanet_bpf* skeleton) const;
  };
  struct RingDeleter {
    void operator()(ring_buffer* ring) const;
  };

  std::filesystem::path pin_directory_;
  std::unique_ptr<hanet_bpf, SkeletonDeleter> skeleton_;
  MappedArray<hanet_params> params_;
  MappedArray<hanet_session> sessions_;
  MappedArray<hanet_port> ports_;
  MappedArray<hanet_steer> steer_;
  MappedArray<hanet_trunk> trunks_;
  MappedArray<hanet_device> devices_;
  MappedArray<hanet_engine> accounts_;
  MappedArray<hanet_lateness> lateness_;
  MappedArray<hanet_flight> flights_;
  std::unique_ptr<ring_buffer, RingDeleter> ring_;
  std::vector<PortAttachment> attachments_{HANET_MAX_PORTS};
  std::array<TcHook, HANET_MAX_GROUPS> device_hooks_;
  std::set<GroupIndex> not_entered_;         ///< their devices: a killed instance's sends
  std::map<unsigned, unsigned> last_paths_;  ///< of removed devices, by their numbers
  std::array<std::set<net::ArpEntry>, HANET_MAX_GROUPS> named_;  ///< what identity_ipv4 holds
  LinkSource link_source_ = LinkSource::Rtnetlink;
  bool use_bpf_timer_ = true;
  std::unique_ptr<Ticker> ticker_;  ///< without bpf_timer
  std::unique_ptr<Pacer> pacer_;    ///< where the kernel has what it needs
  std::vector<Fd> tracing_links_;
  std::vector<PinnedLink> pinned_tracing_;
  Capabilities capabilities_;
  EventHandler handler_;
  std::map<unsigned, PortAttachment> leftovers_;     ///< of removed ports, by interface
  LeftEngine left_;                                  ///< of a killed instance
  std::set<PortIndex> not_taken_over_;               ///< ports that it watches meanwhile
  std::set<unsigned> taken_for_good_;                ///< interfaces that it is not given back
  std::map<SessionIndex, LeftEngine::Known> known_;  ///< by which ours begin
  std::vector<LeftEngine::Known> taken_over_;
  std::optional<MonotonicTime> left_alone_since_;
  bool began_ = false;                   ///< all ports are attached
  bool has_names_ = false;               ///< the pins of its maps are its own
  std::set<unsigned> spared_;            ///< interfaces
  std::set<GroupIndex> steered_lately_;  ///< by a killed instance
  bool strays_ended_ = false;
  std::array<bool, HANET_MAX_PORTS> waits_{};                    ///< has no identity
  std::map<PortIndex, std::set<net::Ipv6Bytes>> own_addresses_;  ///< set_own_addresses()
  std::array<bool, HANET_MAX_PORTS> left_steers_{};  ///< a killed instance does, behind ours
  std::set<GroupIndex> steers_alike_;                ///< so this one can do so in its place
  struct SessionRow {
    SessionIndex first = 0;
    std::uint32_t count = 0;
  };
  std::array<SessionRow, HANET_MAX_PORTS> rows_;  ///< what is kept free for each port
};

/// Interval x multiplier, as they are in force (RFC 5880).
[[nodiscard]] inline Nanoseconds detection_time(const hanet_session& session) {
  return std::chrono::microseconds(std::int64_t{load(session.interval_us)} *
                                   load(session.multiplier));
}

}  // namespace hanet::engine
