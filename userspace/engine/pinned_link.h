// SPDX-License-Identifier: Apache-2.0
//
// A program's link to an interface that stays when this process is killed (spec D7).
//
// A link ends with its last descriptor. So each has a name in the pin directory, by which the next
// instance finds it: to put its own program in the same place, or to take it away.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string_view>

#include "core/fd.h"
#include "core/result.h"

namespace hanet::engine {

/// Where the link of an interface is pinned; `what`: "xdp", "ingress", "egress". Empty without a
/// directory.
[[nodiscard]] std::filesystem::path pin_of(const std::filesystem::path& directory, unsigned ifindex,
                                           std::string_view what);

/// What `name` is called until its instance takes over.
[[nodiscard]] std::filesystem::path new_pin(const std::filesystem::path& directory,
                                            std::string_view name);

/// Detached, and its name removed, with the object.
class PinnedLink {
 public:
  PinnedLink() = default;
  PinnedLink(PinnedLink&& other) noexcept { *this = std::move(other); }
  PinnedLink& operator=(PinnedLink&& other) noexcept;
  PinnedLink(const PinnedLink&) = delete;
  PinnedLink& operator=(const PinnedLink&) = delete;
  ~PinnedLink() { end(); }

  /// Gives `link` a name, which nothing else may have. An empty one: it ends with the process.
  [[nodiscard]] static Result<PinnedLink> pin(Fd link, const std::filesystem::path& name);
  /// What a killed instance left by that name, as if it were ours; not valid: nothing.
  [[nodiscard]] static PinnedLink adopt(const std::filesystem::path& name);
  /// The same, and `name` is free for another one: it is NAME_left now. Where there is one already,
  /// of an instance that was killed before it could end it, the one of the program `in_charge` (its
  /// id) is returned, or the older one where that is neither; the other one ends.
  [[nodiscard]] static PinnedLink take_left(const std::filesystem::path& name,
                                            std::uint32_t in_charge);
  /// It is called `name` from now on, which nothing else may be.
  void take_name(const std::filesystem::path& name);
  /// It goes on, by the name that it had, and is no longer ours.
  void leave();

  [[nodiscard]] bool valid() const { return link_.valid(); }
  [[nodiscard]] int get() const { return link_.get(); }

 private:
  void end();

  Fd link_;
  std::filesystem::path name_;
};

/// Takes away what killed instances left in the directory, but for the interfaces in `kept`.
void end_left_links(const std::filesystem::path& directory, const std::set<unsigned>& kept);

}  // namespace hanet::engine
