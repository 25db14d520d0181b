// SPDX-License-Identifier: Apache-2.0
//
// One program at one TC hook of a port, and who runs before it (spec D8).
//
// Other programs use the same hooks, and one that ends the chain (TC_ACT_OK) hides a frame from
// all that stand behind it: a request would leave unseen, and its path would never fail. So hanet
// is attached as the first. It ends the chain only for frames of its own, and for those that it
// steers; everything else goes on to whoever is behind.
//
// tcx (Linux 6.6) has an order that can be asked for and changed: BPF_F_BEFORE without a relative
// program is the first place (kernel/bpf/mprog.c). With clsact the priority is the order.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"
#include "engine/pinned_link.h"

namespace hanet::engine {

/// enum bpf_attach_type of Linux 6.6 and later; the build host's headers may be older.
inline constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
inline constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

enum class Direction : std::uint8_t { Ingress, Egress };
[[nodiscard]] std::string_view to_text(Direction direction);

/// Who is at a hook, as far as the kernel tells: of clsact it does not.
struct Chain {
  bool has_hanet = true;            ///< false: somebody took hanet's program away
  std::vector<std::string> before;  ///< programs in front of it, in order: "NAME (id N)"
  [[nodiscard]] bool is_first() const { return has_hanet && before.empty(); }
};

/// "NAME (id N)" of a loaded program; without CAP_SYS_ADMIN, how to find out.
[[nodiscard]] std::string describe_program(std::uint32_t id);

/// One of our filters at a clsact qdisc.
struct ClsactFilter {
  std::uint32_t priority = 0;  ///< 0: there is none
  std::uint32_t handle = 0;
};

/// Detached with the object. After a kill the program stays (spec D7), and the next one is put in
/// front of it: what it steered goes on until end_left(), and longer than an object that ends
/// before that, because its start failed.
class TcHook {
 public:
  TcHook() = default;
  TcHook(TcHook&& other) noexcept { *this = std::move(other); }
  TcHook& operator=(TcHook&& other) noexcept;
  TcHook(const TcHook&) = delete;
  TcHook& operator=(const TcHook&) = delete;
  ~TcHook();

  /// By tcx where the kernel has it, else by clsact with a filter of our own handle; the clsact
  /// qdisc is never deleted, because others may use it. `program` must outlive the hook; `name` is
  /// for messages; the link is pinned in `pins`. Of the programs of two killed instances that one
  /// stays whose id is `in_charge`; 0: nobody knows.
  [[nodiscard]] static Result<TcHook> attach(int program, unsigned ifindex, Direction direction,
                                             const std::string& name,
                                             const std::filesystem::path& pins,
                                             std::uint32_t in_charge = 0);
  /// Takes a killed instance's filters off a clsact qdisc, where nobody has started since.
  static void end_left_filters(unsigned ifindex);
  /// A killed instance's program goes on behind this one.
  [[nodiscard]] bool has_left() const { return left_link_.valid() || left_filter_.priority != 0; }
  /// Takes it away.
  void end_left();
  [[nodiscard]] bool is_attached() const { return program_ >= 0; }
  /// "tcx" or "clsact".
  [[nodiscard]] std::string_view mode() const { return filter_.priority == 0 ? "tcx" : "clsact"; }
  [[nodiscard]] Chain chain() const;
  /// Takes the first place again. For a few microseconds the program is not attached: a request
  /// that leaves then is not counted, and so is not missed.
  [[nodiscard]] Status come_first();

 private:
  [[nodiscard]] Status attach_clsact(const std::string& name, std::uint32_t in_charge);

  int program_ = -1;
  unsigned ifindex_ = 0;
  Direction direction_ = Direction::Ingress;
  std::filesystem::path pin_;
  PinnedLink link_;  // tcx
  PinnedLink left_link_;
  ClsactFilter filter_;  // where there is no tcx
  ClsactFilter left_filter_;
};

}  // namespace hanet::engine
