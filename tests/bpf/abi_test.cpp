// SPDX-License-Identifier: Apache-2.0
//
// One header, two compilers, and what the kernel really loaded (D2, D5).
//
// User space reads the maps as memory, so an offset that differs would be read as a wrong number
// and never noticed. Every member of every structure is compared with the BTF that this kernel
// keeps for the loaded maps; a member that the table below forgets fails as well.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <map>

#include "hanet.skel.h"
#include "scene.h"

namespace hanet::bpf_test {
namespace {

using Offsets = std::map<std::string, std::size_t>;
using Btf = std::unique_ptr<btf, decltype(&btf__free)>;

#define AT(type, member) {#member, offsetof(type, member)}

const Offsets kParams{AT(hanet_params, interval_us),       AT(hanet_params, multiplier),
                      AT(hanet_params, up_count),          AT(hanet_params, link_poll_us),
                      AT(hanet_params, enabled),           AT(hanet_params, clamped),
                      AT(hanet_params, threshold_percent), AT(hanet_params, on_daemon_loss),
                      AT(hanet_params, daemon_loss_ms),    AT(hanet_params, pad)};

const Offsets kRequest{AT(hanet_request, sequence), AT(hanet_request, sent_ns),
                       AT(hanet_request, replied_ns)};

const Offsets kSession{AT(hanet_session, in_use),
                       AT(hanet_session, id),
                       AT(hanet_session, cookie),
                       AT(hanet_session, port),
                       AT(hanet_session, group),
                       AT(hanet_session, family),
                       AT(hanet_session, kind),
                       AT(hanet_session, heard_at_xdp),
                       AT(hanet_session, other_end),
                       AT(hanet_session, pad0),
                       AT(hanet_session, target),
                       AT(hanet_session, next_hop),
                       AT(hanet_session, source),
                       AT(hanet_session, state),
                       AT(hanet_session, replies_in_row),
                       AT(hanet_session, target_mac),
                       AT(hanet_session, target_mac_known),
                       AT(hanet_session, peer_claim),
                       AT(hanet_session, target_mac_learned_ns),
                       AT(hanet_session, state_since_ns),
                       AT(hanet_session, rival_heard_ns),
                       AT(hanet_session, rival_mac),
                       AT(hanet_session, pad1),
                       AT(hanet_session, rival_claims),
                       AT(hanet_session, looked_ns),
                       AT(hanet_session, sent),
                       AT(hanet_session, answered),
                       AT(hanet_session, last_neighbour_sequence),
                       AT(hanet_session, last_sent_ns),
                       AT(hanet_session, last_reply_ns),
                       AT(hanet_session, counted_ns),
                       AT(hanet_session, first_lost_ns),
                       AT(hanet_session, deadline_ns),
                       AT(hanet_session, verdict_ns),
                       AT(hanet_session, pace_us),
                       AT(hanet_session, gaps),
                       AT(hanet_session, interval_us),
                       AT(hanet_session, multiplier),
                       AT(hanet_session, up_count),
                       AT(hanet_session, clamped),
                       AT(hanet_session, replies),
                       AT(hanet_session, lost),
                       AT(hanet_session, down_verdicts),
                       AT(hanet_session, up_verdicts),
                       AT(hanet_session, stall_deferrals),
                       AT(hanet_session, deferred_after),
                       AT(hanet_session, deferred_lost_ns),
                       AT(hanet_session, deferred_since_ns),
                       AT(hanet_session, stalled_cpu),
                       AT(hanet_session, second_look),
                       AT(hanet_session, rtt_last_ns),
                       AT(hanet_session, rtt_min_ns),
                       AT(hanet_session, rtt_max_ns),
                       AT(hanet_session, rtt_sum_ns),
                       AT(hanet_session, jitter_ns),
                       AT(hanet_session, rtt_log2_ns),
                       AT(hanet_session, window)};

const Offsets kPort{AT(hanet_port, name),
                    AT(hanet_port, in_use),
                    AT(hanet_port, ifindex),
                    AT(hanet_port, group),
                    AT(hanet_port, session),
                    AT(hanet_port, probe_mac),
                    AT(hanet_port, clamped),
                    AT(hanet_port, replies_at_xdp),
                    AT(hanet_port, probe_ipv4),
                    AT(hanet_port, probe_ipv6),
                    AT(hanet_port, claim),
                    AT(hanet_port, targets),
                    AT(hanet_port, quorum),
                    AT(hanet_port, net_device),
                    AT(hanet_port, trunk),
                    AT(hanet_port, trunk_slot),
                    AT(hanet_port, carrier),
                    AT(hanet_port, link_poll_us),
                    AT(hanet_port, carrier_up_events),
                    AT(hanet_port, carrier_down_events),
                    AT(hanet_port, carrier_changed_ns),
                    AT(hanet_port, link_polls),
                    AT(hanet_port, last_link_poll_ns),
                    AT(hanet_port, answered_for_neighbours),
                    AT(hanet_port, answered_beats),
                    AT(hanet_port, own_mac),
                    AT(hanet_port, answers_at_xdp),
                    AT(hanet_port, beat_type),
                    AT(hanet_port, beat_port),
                    AT(hanet_port, pad0),
                    AT(hanet_port, pad1),
                    AT(hanet_port, rejected)};

const Offsets kTrunk{AT(hanet_trunk, count),
                     AT(hanet_trunk, mode),
                     AT(hanet_trunk, group),
                     AT(hanet_trunk, lead),
                     AT(hanet_trunk, total),
                     AT(hanet_trunk, working),
                     AT(hanet_trunk, lost),
                     AT(hanet_trunk, speaker),
                     AT(hanet_trunk, carrier_lost_ns),
                     AT(hanet_trunk, carrier_lost_ns),
                     AT(hanet_trunk, speaker_changes),
                     AT(hanet_trunk, spread_out),
                     AT(hanet_trunk, gathered_in),
                     AT(hanet_trunk, second_copies),
                     AT(hanet_trunk, ports)};

const Offsets kTrunkPort{AT(hanet_trunk_port, port), AT(hanet_trunk_port, ifindex),
                         AT(hanet_trunk_port, weight), AT(hanet_trunk_port, wire_mac),
                         AT(hanet_trunk_port, pad)};

const Offsets kSteer{AT(hanet_steer, mode),           AT(hanet_steer, armed),
                     AT(hanet_steer, peer_port),      AT(hanet_steer, announce),
                     AT(hanet_steer, identity_mac),   AT(hanet_steer, steered_ns),
                     AT(hanet_steer, redirected_out), AT(hanet_steer, redirected_in),
                     AT(hanet_steer, fenced),         AT(hanet_steer, muted)};
const Offsets kDevice{
    AT(hanet_device, ifindex),     AT(hanet_device, sends),   AT(hanet_device, mac),
    AT(hanet_device, armed),       AT(hanet_device, paths),   AT(hanet_device, leads),
    AT(hanet_device, port),        AT(hanet_device, pad),     AT(hanet_device, switches),
    AT(hanet_device, switched_ns), AT(hanet_device, refused), AT(hanet_device, unsent)};
const Offsets kIdentityIpv4{AT(hanet_identity_ipv4, group), AT(hanet_identity_ipv4, vlan),
                            AT(hanet_identity_ipv4, address)};
const Offsets kIdentityMac{AT(hanet_identity_mac, mac), AT(hanet_identity_mac, pad0)};

const Offsets kEvent{AT(hanet_event, type), AT(hanet_event, group)};

const Offsets kEngine{AT(hanet_engine, events_submitted),
                      AT(hanet_engine, events_dropped),
                      AT(hanet_engine, receiver_period_ns),
                      AT(hanet_engine, attended_ns),
                      AT(hanet_engine, abi),
                      AT(hanet_engine, tc_programs),
                      AT(hanet_engine, pad0)};

const Offsets kFrame{AT(hanet_frame, length), AT(hanet_frame, pad), AT(hanet_frame, bytes)};
const Offsets kPaced{
    AT(hanet_paced, heartbeat),   AT(hanet_paced, search),    AT(hanet_paced, refresh),
    AT(hanet_paced, is_paced),    AT(hanet_paced, unstamped), AT(hanet_paced, next_ns),
    AT(hanet_paced, searched_ns), AT(hanet_paced, looked_ns), AT(hanet_paced, refreshed_ns),
    AT(hanet_paced, searches),    AT(hanet_paced, refused),   AT(hanet_paced, late_max_ns)};
const Offsets kPacer{AT(hanet_pacer, mode),     AT(hanet_pacer, ifindex), AT(hanet_pacer, token),
                     AT(hanet_pacer, sessions), AT(hanet_pacer, next_ns), AT(hanet_pacer, round_ns),
                     AT(hanet_pacer, rounds),   AT(hanet_pacer, strays)};

const Offsets kFlight{AT(hanet_flight, verdict_ns),        AT(hanet_flight, last_reply_ns),
                      AT(hanet_flight, deferred_since_ns), AT(hanet_flight, timer_late_ns),
                      AT(hanet_flight, timer_cpu),         AT(hanet_flight, stalled_cpu),
                      AT(hanet_flight, requests)};
const Offsets kLateness{AT(hanet_lateness, last_ns), AT(hanet_lateness, usual_ns),
                        AT(hanet_lateness, samples), AT(hanet_lateness, timers)};

const Offsets kBeat{AT(hanet_beat, destination), AT(hanet_beat, source), AT(hanet_beat, type),
                    AT(hanet_beat, version),     AT(hanet_beat, kind),   AT(hanet_beat, session),
                    AT(hanet_beat, id),          AT(hanet_beat, cookie), AT(hanet_beat, sequence),
                    AT(hanet_beat, key),         AT(hanet_beat, claim),  AT(hanet_beat, state),
                    AT(hanet_beat, reserved),    AT(hanet_beat, tag)};
const Offsets kKey{AT(hanet_key, half), AT(hanet_key, id), AT(hanet_key, pad)};
const Offsets kKeys{AT(hanet_keys, key), AT(hanet_keys, signs), AT(hanet_keys, pad)};
const Offsets kAsker{AT(hanet_beat_asker, cookie), AT(hanet_beat_asker, id),
                     AT(hanet_beat_asker, port)};
const Offsets kWay{AT(hanet_beat_way, source), AT(hanet_beat_way, destination)};
const Offsets kOwnAddress{AT(hanet_beat_address, address), AT(hanet_beat_address, port)};
const Offsets kPeer{AT(hanet_beat_peer, sequence), AT(hanet_beat_peer, next_ns),
                    AT(hanet_beat_peer, heard_ns), AT(hanet_beat_peer, answered),
                    AT(hanet_beat_peer, mac),      AT(hanet_beat_peer, claim),
                    AT(hanet_beat_peer, state),    AT(hanet_beat_peer, address)};

#undef AT

class Abi : public Scene {
 protected:
  static Offsets offsets_in(const btf& types, std::uint32_t id) {
    Offsets found;
    const btf_type* type = btf__type_by_id(&types, id);
    if (type == nullptr || !btf_is_struct(type)) return found;
    for (std::uint32_t at = 0; at < btf_vlen(type); ++at)
      found[btf__name_by_offset(&types, btf_members(type)[at].name_off)] =
          btf_member_bit_offset(type, at) / 8;
    return found;
  }

  /// Compares with what the kernel keeps for a loaded map.
  static void expect_value(const bpf_map* map, const char* name, std::size_t size,
                           const Offsets& offsets) {
    SCOPED_TRACE(name);
    bpf_map_info info{};
    std::uint32_t length = sizeof(info);
    ASSERT_EQ(bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &length), 0);
    const Btf types(btf__load_from_kernel_by_id(info.btf_id), btf__free);
    ASSERT_TRUE(types);
    const btf_type* type = btf__type_by_id(types.get(), info.btf_value_type_id);
    ASSERT_NE(type, nullptr);
    EXPECT_STREQ(btf__name_by_offset(types.get(), type->name_off), name);
    EXPECT_EQ(info.value_size, size);
    EXPECT_EQ(type->size, size);
    EXPECT_EQ(offsets_in(*types, info.btf_value_type_id), offsets);
  }

  /// Compares with a structure that is in no map, by its name in the programs' BTF.
  void expect_struct(const char* name, std::size_t size, const Offsets& offsets) {
    SCOPED_TRACE(name);
    const btf* types = bpf_object__btf(p->skeleton()->obj);
    ASSERT_NE(types, nullptr);
    const int id = btf__find_by_name_kind(types, name, BTF_KIND_STRUCT);
    ASSERT_GT(id, 0);
    EXPECT_EQ(btf__type_by_id(types, static_cast<std::uint32_t>(id))->size, size);
    EXPECT_EQ(offsets_in(*types, static_cast<std::uint32_t>(id)), offsets);
  }
};

TEST_F(Abi, D2_BothCompilersAndTheKernelAgreeOnEveryMember) {
  const auto& maps = p->skeleton()->maps;
  expect_value(maps.params, "hanet_params", sizeof(hanet_params), kParams);
  expect_value(maps.sessions, "hanet_session", sizeof(hanet_session), kSession);
  expect_value(maps.flights, "hanet_flight", sizeof(hanet_flight), kFlight);
  expect_value(maps.lateness, "hanet_lateness", sizeof(hanet_lateness), kLateness);
  expect_value(maps.ports, "hanet_port", sizeof(hanet_port), kPort);
  expect_value(maps.steer, "hanet_steer", sizeof(hanet_steer), kSteer);
  expect_value(maps.identity_ipv4, "hanet_identity_mac", sizeof(hanet_identity_mac), kIdentityMac);
  expect_struct("hanet_identity_ipv4", sizeof(hanet_identity_ipv4), kIdentityIpv4);
  expect_value(maps.trunks, "hanet_trunk", sizeof(hanet_trunk), kTrunk);
  expect_value(maps.devices, "hanet_device", sizeof(hanet_device), kDevice);
  expect_value(maps.engine, "hanet_engine", sizeof(hanet_engine), kEngine);
  expect_value(maps.paced, "hanet_paced", sizeof(hanet_paced), kPaced);
  expect_value(maps.pacer, "hanet_pacer", sizeof(hanet_pacer), kPacer);
  expect_value(maps.keys, "hanet_keys", sizeof(hanet_keys), kKeys);
  expect_value(maps.beat_peers, "hanet_beat_peer", sizeof(hanet_beat_peer), kPeer);
  expect_struct("hanet_beat_address", sizeof(hanet_beat_address), kOwnAddress);
  expect_struct("hanet_beat_way", sizeof(hanet_beat_way), kWay);
  expect_struct("hanet_beat_asker", sizeof(hanet_beat_asker), kAsker);
  expect_struct("hanet_key", sizeof(hanet_key), kKey);
  expect_struct("hanet_beat", sizeof(hanet_beat), kBeat);
  expect_struct("hanet_frame", sizeof(hanet_frame), kFrame);
  expect_struct("hanet_event", sizeof(hanet_event), kEvent);
  expect_struct("hanet_trunk_port", sizeof(hanet_trunk_port), kTrunkPort);
  expect_struct("hanet_request", sizeof(hanet_request), kRequest);
}

TEST_F(Abi, D2_S3_AMapThatIsMemoryHoldsNoTimerAndNoKey) {
  const auto& maps = p->skeleton()->maps;
  for (const bpf_map* map : {maps.params, maps.sessions, maps.ports, maps.steer, maps.trunks,
                             maps.engine, maps.paced, maps.pacer})
    EXPECT_NE(bpf_map__map_flags(map) & BPF_F_MMAPABLE, 0U) << bpf_map__name(map);
  for (const bpf_map* map : {maps.deadline_timers, maps.link_timers, maps.keys})
    EXPECT_EQ(bpf_map__map_flags(map) & BPF_F_MMAPABLE, 0U) << bpf_map__name(map);
}

/// A folder in the BPF file system that is gone after the test.
class PinFolder {
 public:
  PinFolder() : path_(fmt::format("/sys/fs/bpf/hanet-test-{}", ::getpid())) {
    struct statfs file_system{};
    const bool there =
        ::statfs("/sys/fs/bpf", &file_system) == 0 && file_system.f_type == BPF_FS_MAGIC;
    if (!there) ::mount("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
    std::filesystem::create_directory(path_);
  }
  ~PinFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  PinFolder(const PinFolder&) = delete;
  PinFolder& operator=(const PinFolder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(("PATH=$PATH:/usr/sbin:/sbin " + command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return text;
  char part[4096];
  while (const std::size_t got = std::fread(part, 1, sizeof(part), pipe)) text.append(part, got);
  ::pclose(pipe);
  return text;
}

TEST_F(Abi, D5_BpftoolShowsNamesAndTypedContents) {
  if (output_of("bpftool version").find("bpftool v") == std::string::npos)
    GTEST_SKIP() << "skipped: bpftool is not installed";
  watch(Beat::EchoIpv4);
  const PinFolder folder;
  const auto& maps = p->skeleton()->maps;
  const std::vector<std::pair<bpf_map*, const Offsets*>> shown{{maps.params, &kParams},
                                                               {maps.sessions, &kSession},
                                                               {maps.ports, &kPort},
                                                               {maps.steer, &kSteer}};
  for (const auto& [map, members] : shown) {
    const std::string file = folder.file(bpf_map__name(map));
    ASSERT_EQ(bpf_obj_pin(bpf_map__fd(map), file.c_str()), 0) << file;
    const std::string dump = output_of("bpftool map dump pinned " + file);
    for (const auto& [member, offset] : *members)
      EXPECT_NE(dump.find("\"" + member + "\""), std::string::npos)
          << bpf_map__name(map) << " shows no " << member;
  }
  for (const bpf_program* program :
       {p->skeleton()->progs.xdp_ingress, p->skeleton()->progs.tc_egress}) {
    const std::string file = folder.file(bpf_program__name(program));
    ASSERT_EQ(bpf_obj_pin(bpf_program__fd(program), file.c_str()), 0) << file;
    EXPECT_NE(output_of("bpftool prog show pinned " + file).find(bpf_program__name(program)),
              std::string::npos);
  }
}

TEST_F(Abi, D4_BpftoolCanChangeALiveParameter) {
  if (output_of("bpftool version").find("bpftool v") == std::string::npos)
    GTEST_SKIP() << "skipped: bpftool is not installed";
  set_params(0, 20000, 5, 4);
  watch(Beat::EchoIpv4);
  const PinFolder folder;
  const std::string file = folder.file("params");
  ASSERT_EQ(bpf_obj_pin(bpf_map__fd(p->skeleton()->maps.params), file.c_str()), 0);
  const std::string said =
      output_of("bpftool map update pinned " + file +
                " key 0 0 0 0 value 0x30 0x75 0 0  7 0 0 0  9 0 0 0  0xe8 3 0 "
                "0  1 0 0 0  0 0 0 0  50 0 0 0  2 0 0 0  0x88 0x13 0 0  0 0 0 0");
  send(Beat::EchoIpv4);
  EXPECT_EQ(session().interval_us, 30000U) << said;
  EXPECT_EQ(session().multiplier, 7U);
  EXPECT_EQ(session().up_count, 9U);
  EXPECT_EQ(p->params[0].on_daemon_loss, std::uint32_t{HANET_LOSS_RELEASE});
  EXPECT_EQ(session().clamped, 0U);
}

}  // namespace
}  // namespace hanet::bpf_test
