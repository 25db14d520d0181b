// SPDX-License-Identifier: Apache-2.0
//
// UTF-8 by the table of RFC 3629 section 4.
//
// That table lists every well-formed sequence by its first byte: how many bytes follow, and
// which range the second byte must have. All special cases (overlong forms, surrogates, the end of
// Unicode) are limits of that second byte; every further byte is 80..BF.
#include "config/utf8.h"

namespace hanet::config {
namespace {

struct Sequence {
  std::size_t length;        ///< 0: this byte begins nothing
  unsigned char second_low;  ///< range of the second byte
  unsigned char second_high;
};

constexpr Sequence sequence_of(unsigned char first) {
  if (first < 0x80) return {1, 0, 0};
  if (first < 0xc2) return {0, 0, 0};
  if (first < 0xe0) return {2, 0x80, 0xbf};
  if (first == 0xe0) return {3, 0xa0, 0xbf};
  if (first == 0xed) return {3, 0x80, 0x9f};
  if (first < 0xf0) return {3, 0x80, 0xbf};
  if (first == 0xf0) return {4, 0x90, 0xbf};
  if (first < 0xf4) return {4, 0x80, 0xbf};
  if (first == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

/// `rest` begins with a well-formed sequence of this kind.
bool is_complete(std::string_view rest, const Sequence& sequence) {
  if (sequence.length == 0 || sequence.length > rest.size()) return false;
  for (std::size_t i = 1; i < sequence.length; ++i) {
    const auto byte = static_cast<unsigned char>(rest[i]);
    const unsigned char low = i == 1 ? sequence.second_low : 0x80;
    const unsigned char high = i == 1 ? sequence.second_high : 0xbf;
    if (byte < low || byte > high) return false;
  }
  return true;
}

}  // namespace

std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Sequence sequence = sequence_of(static_cast<unsigned char>(text[at]));
    if (!is_complete(text.substr(at), sequence)) return at;
    at += sequence.length;
  }
  return std::string_view::npos;
}

}  // namespace hanet::config
