// SPDX-License-Identifier: Apache-2.0
//
// See pinned_link.h.
#include "engine/pinned_link.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/std.h>

#include <charconv>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace hanet::engine {
namespace {

constexpr std::string_view kPrefix = "link_";
constexpr std::string_view kLeft = "_left";

/// The interface in the name of a pinned link; 0: it is something else.
unsigned interface_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return 0;
  unsigned ifindex = 0;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), ifindex);
  return ifindex;
}

/// 0: nobody knows.
std::uint32_t program_of(int link) {
  bpf_link_info info{};
  std::uint32_t length = sizeof(info);
  return bpf_obj_get_info_by_fd(link, &info, &length) == 0 ? info.prog_id : 0;
}

}  // namespace

std::filesystem::path pin_of(const std::filesystem::path& directory, unsigned ifindex,
                             std::string_view what) {
  if (directory.empty()) return {};
  return directory / fmt::format("{}{}_{}", kPrefix, ifindex, what);
}

// The BPF file system takes no dot in a name (kernel/bpf/inode.c, bpf_lookup).
std::filesystem::path new_pin(const std::filesystem::path& directory, std::string_view name) {
  return directory / fmt::format("{}_new", name);
}

PinnedLink& PinnedLink::operator=(PinnedLink&& other) noexcept {
  if (this == &other) return *this;
  end();
  link_ = std::move(other.link_);
  name_ = std::exchange(other.name_, {});
  return *this;
}

// Detached by hand: a file of the BPF file system gives its link back some time after it is gone.
void PinnedLink::end() {
  if (!link_.valid()) return;
  bpf_link_detach(link_.get());
  link_.reset();
  std::error_code ignored;
  if (!name_.empty()) std::filesystem::remove(name_, ignored);
  name_.clear();
}

Result<PinnedLink> PinnedLink::pin(Fd link, const std::filesystem::path& name) {
  PinnedLink pinned;
  pinned.link_ = std::move(link);
  if (name.empty()) return pinned;
  if (const int error = bpf_obj_pin(pinned.link_.get(), name.c_str()); error != 0)
    return errno_error(error, "pin a BPF link as " + name.string());
  pinned.name_ = name;
  return pinned;
}

PinnedLink PinnedLink::adopt(const std::filesystem::path& name) {
  PinnedLink left;
  if (name.empty()) return left;
  left.link_.reset(bpf_obj_get(name.c_str()));
  if (left.valid()) left.name_ = name;
  return left;
}

PinnedLink PinnedLink::take_left(const std::filesystem::path& name, std::uint32_t in_charge) {
  const std::filesystem::path aside = name.string() + std::string(kLeft);
  PinnedLink older = adopt(aside), left = adopt(name);
  if (!left.valid()) return older;
  if (older.valid() && (in_charge == 0 || program_of(left.get()) != in_charge)) return older;
  older = PinnedLink();
  left.take_name(aside);
  return left;
}

void PinnedLink::take_name(const std::filesystem::path& name) {
  std::error_code failed;
  std::filesystem::rename(name_, name, failed);
  if (!failed) name_ = name;
}

void PinnedLink::leave() {
  std::error_code ignored;
  if (name_.string().ends_with(kLeft)) {
    const std::string name = name_.string();
    std::filesystem::rename(name_, name.substr(0, name.size() - kLeft.size()), ignored);
  }
  link_.reset();
  name_.clear();
}

void end_left_links(const std::filesystem::path& directory, const std::set<unsigned>& kept) {
  std::error_code ignored;
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
    if (const unsigned ifindex = interface_of(entry.path().filename().string());
        ifindex != 0 && !kept.contains(ifindex))
      left.push_back(entry.path());
  for (const std::filesystem::path& name : left) const PinnedLink ends = PinnedLink::adopt(name);
}

}  // namespace hanet::engine
