// SPDX-License-Identifier: Apache-2.0
//
// See attributes.h.
#include "net/attributes.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

namespace hanet::net {
namespace {

rtattr head_at(std::span<const std::uint8_t> bytes, std::size_t at) {
  rtattr head{};
  std::memcpy(&head, bytes.data() + at, sizeof(head));
  return head;
}

std::size_t whole(const rtattr& head) { return RTA_ALIGN(head.rta_len); }

}  // namespace

Attributes::Attributes(
    std::initializer_list<std::pair<std::uint16_t, std::vector<std::uint8_t>>> all) {
  for (const auto& [type, value] : all) set(type, value);
}

std::optional<Attributes> Attributes::read(std::vector<std::uint8_t> bytes) {
  std::optional<std::uint16_t> before;
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < sizeof(rtattr)) return std::nullopt;
    const rtattr head = head_at(bytes, at);
    const bool in_order = !before || *before < head.rta_type;
    if (!in_order || head.rta_len < sizeof(head) || whole(head) > bytes.size() - at)
      return std::nullopt;
    for (std::size_t padding = head.rta_len; padding < whole(head); ++padding)
      if (bytes[at + padding] != 0) return std::nullopt;
    before = head.rta_type;
    at += whole(head);
  }
  Attributes attributes;
  attributes.bytes_ = std::move(bytes);
  return attributes;
}

std::size_t Attributes::place_of(std::uint16_t type) const {
  std::size_t at = 0;
  while (at < bytes_.size()) {
    const rtattr head = head_at(bytes_, at);
    if (head.rta_type >= type) break;
    at += whole(head);
  }
  return at;
}

std::optional<Attributes::Value> Attributes::find(std::uint16_t type) const {
  const std::size_t at = place_of(type);
  if (at == bytes_.size()) return std::nullopt;
  const rtattr head = head_at(bytes_, at);
  if (head.rta_type != type) return std::nullopt;
  return Value(bytes_).subspan(at + sizeof(head), head.rta_len - sizeof(head));
}

void Attributes::set(std::uint16_t type, Value value) {
  erase(type);
  const rtattr head{.rta_len = static_cast<unsigned short>(sizeof(rtattr) + value.size()),
                    .rta_type = type};
  const std::size_t at = place_of(type);
  bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(at), whole(head), 0);
  std::memcpy(bytes_.data() + at, &head, sizeof(head));
  std::ranges::copy(value, bytes_.begin() + static_cast<std::ptrdiff_t>(at + sizeof(head)));
}

void Attributes::erase(std::uint16_t type) {
  const std::size_t at = place_of(type);
  if (at == bytes_.size()) return;
  const rtattr head = head_at(bytes_, at);
  if (head.rta_type != type) return;
  const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
  bytes_.erase(begin, begin + static_cast<std::ptrdiff_t>(whole(head)));
}

}  // namespace hanet::net
