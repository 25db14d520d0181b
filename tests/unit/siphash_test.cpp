// SPDX-License-Identifier: Apache-2.0
//
// SipHash-2-4 against the reference vectors of its authors (https://github.com/veorq/SipHash,
// vectors.h): key 00 01 .. 0f, messages 00 01 02 .. of each length (S3).
#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "hanet/abi.h"

namespace hanet {
namespace {

constexpr std::array<__u64, 2> kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

/// By the number of words: messages of 0, 8, 16 .. 56 bytes.
constexpr std::array<std::uint64_t, 8> kVectors{
    0x726fdb47dd0e0e31, 0x93f5f5799a932462, 0x3f2acc7f57c29bdb, 0xb8ad50c6f649af94,
    0x7127512f72f27cce, 0x0e3ea96b5304a7d0, 0xe612a3cb9ecba951, 0xb78dbfaf3a8d83bd};

TEST(SipHash, S3_AgreesWithTheReferenceVectors) {
  std::array<__u64, 7> words{};
  for (std::size_t byte = 0; byte < sizeof(words); ++byte)
    words.at(byte / 8) |= std::uint64_t{byte} << 8 * (byte % 8);
  for (unsigned count = 0; count < kVectors.size(); ++count)
    EXPECT_EQ(hanet_siphash(kKey.data(), words.data(), count), kVectors.at(count)) << count;
  static_assert(HANET_BEAT_WORDS < kVectors.size(), "a heartbeat's length is among them");
}

TEST(SipHash, S3_AKeyIsCalledByItsHashOfNothing) {
  EXPECT_EQ(hanet_key_id(kKey.data()), 0xdd0e0e31U);
}

}  // namespace
}  // namespace hanet
