// SPDX-License-Identifier: Apache-2.0
//
// The kernel side of an instance that was killed (spec D7), as the next one finds it by its pins.
//
// It goes on: its programs are attached, its timers run as long as somebody holds its maps, and its
// pacer sends. So the next instance prepares beside it, and takes over group by group: until then
// every verdict is made by the old one, from then on by the new one, and what the old one knew of a
// session is where the new one begins. What the other one still reads (modes, who answers) is
// changed by stores into its maps.
//
// Threading: owned by one Engine.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/fd.h"
#include "core/result.h"
#include "engine/maps.h"
#include "hanet/abi.h"

namespace hanet::engine {

class LeftEngine {
 public:
  /// What one session of it knew, at the moment at which it ended.
  struct Known {
    std::string port;
    unsigned ifindex = 0;     ///< of the port
    __be16 beat_type = 0;     ///< hanet_port's
    __be16 beat_port = 0;     ///< the same
    hanet_session session{};  ///< its state is that of before it was paused
    hanet_flight flight{};
    std::uint32_t carrier = HANET_CARRIER_UNKNOWN;  ///< enum hanet_carrier, of the port
    std::uint64_t carrier_changed_ns = 0;
  };

  /// Of the maps that are pinned in `directory`. Where there are none, or those of a version whose
  /// maps mean something else, nothing goes on but what is steered.
  [[nodiscard]] static LeftEngine open(const std::filesystem::path& directory);

  /// Its verdicts go on, so nobody may take its place before it can be filled.
  [[nodiscard]] bool goes_on() const { return !held_.empty(); }
  /// Something is pinned there that this version can not read.
  [[nodiscard]] bool is_foreign() const { return is_foreign_; }
  /// The interfaces that it watches.
  [[nodiscard]] std::set<unsigned> interfaces() const;
  /// Whoever took over runs: its programs, which steer on for a while, do what their group wants
  /// without hanetd by the stamp in their own map.
  void show_presence(std::uint64_t now_ns) const;
  /// What comes in at the interface is its TC program's from now on, which answers as well: its XDP
  /// program may be replaced.
  void hear_at_tc(unsigned ifindex) const;
  /// Its sessions on the interface end: they send nothing more, and make no verdict any more.
  /// Returns what they knew.
  [[nodiscard]] std::vector<Known> end_sessions(unsigned ifindex);
  /// What it does with the frames of an interface.
  struct Steering {
    std::uint32_t mode = HANET_STEER_NONE;  ///< enum hanet_steer_mode
    bool is_armed = false;                  ///< by its own verdict
    unsigned peer = 0;                      ///< interface that it bridges to
    std::uint64_t since_ns = 0;             ///< when it last began to
  };
  /// The same as steering(), and from now on no verdict of its own bridges (arm() undoes that).
  [[nodiscard]] std::optional<Steering> disarm(unsigned ifindex);
  void arm(unsigned ifindex);
  /// Whoever took the interface over gives it back: its sessions go on where they were ended, and
  /// its verdicts bridge where they did. Where nothing was taken it does nothing.
  void go_on(unsigned ifindex);
  /// Nothing where that can not be read.
  [[nodiscard]] std::optional<Steering> steering(unsigned ifindex) const;
  /// enum hanet_carrier, as it sees it.
  [[nodiscard]] std::uint32_t carrier(unsigned ifindex) const;
  /// The interface that speaks for the trunk that this one is of; 0: none.
  [[nodiscard]] unsigned speaker(unsigned ifindex) const;
  /// The interface by which its metanetwork device sends (a port of the path that it uses); 0: that
  /// can not be read, or it has none.
  [[nodiscard]] unsigned path_of_device(unsigned ifindex) const;
  /// Ids of its TC programs, ingress and egress; 0: not known.
  [[nodiscard]] std::array<std::uint32_t, 2> programs() const { return programs_; }
  /// Lets the frames of the interface pass from now on, and answers nobody there. False where it
  /// can not be told: its programs have to go.
  [[nodiscard]] bool end_steering(unsigned ifindex) const;
  /// Its token is dropped when it comes round, and its timers end.
  void stop();
  /// The end of its pacer's pair that the token goes into; 0: none.
  [[nodiscard]] unsigned pacer_interface() const {
    return pacer_.valid() ? load(pacer_[0].ifindex) : 0;
  }
  /// When hanetd was seen last, by its own stamp; nothing where that can not be read.
  [[nodiscard]] std::optional<MonotonicTime> last_attended() const;

 private:
  [[nodiscard]] bool map_memory(const std::filesystem::path& directory);
  [[nodiscard]] std::optional<std::size_t> port_at(unsigned ifindex) const;

  std::vector<Fd> held_;  ///< its maps with timers, which have them as long as that
  bool is_foreign_ = false;
  MappedArray<hanet_session> sessions_;
  MappedArray<hanet_port> ports_;
  MappedArray<hanet_steer> steer_;
  MappedArray<hanet_trunk> trunks_;
  MappedArray<hanet_device> devices_;  ///< a version before them has none
  std::array<std::uint32_t, 2> programs_{};
  MappedArray<hanet_engine> accounts_;
  MappedArray<hanet_pacer> pacer_;
  MappedArray<hanet_flight> flights_;
  std::map<std::size_t, std::uint32_t> ended_;  ///< sessions, and the states that they had
  std::set<std::size_t> disarmed_;              ///< ports
};

/// Is what an ended session knew true of one of ours, and of this moment? The same target is asked
/// in the same way, and it was asked, or answered, within two detection times. Of one that asks
/// nobody (silence) nothing is taken: only what is heard from the start on arms its deadline.
[[nodiscard]] bool is_known(const hanet_session& ended, const hanet_session& ours,
                            MonotonicTime now);

/// Writes what the ended session knew into ours, which is paused. Its state is not part of that: it
/// is for whoever starts ours.
void inherit(hanet_session& ours, const hanet_session& ended);

}  // namespace hanet::engine
