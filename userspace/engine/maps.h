// SPDX-License-Identifier: Apache-2.0
//
// A BPF array, seen as memory.
//
// The kernel side counts in arrays that can be mapped (spec D2): reading a counter is a load, not a
// system call. The values change at any moment, so fields are read with relaxed atomic loads
// (load()), and a reader that wants a consistent picture reads twice.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/result.h"

namespace hanet::engine {

/// Into a configured field, before anybody reads it.
template <typename T, std::size_t N>
void copy_to(T (&destination)[N], const std::array<T, N>& source) {
  std::copy(source.begin(), source.end(), destination);
}

/// One field that the kernel side writes concurrently.
template <typename T>
[[nodiscard]] T load(const T& field) {
  return std::atomic_ref<T>(const_cast<T&>(field)).load(std::memory_order_relaxed);
}

/// Writes one field that the kernel side reads concurrently.
template <typename T>
void store(T& field, std::type_identity_t<T> value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_seq_cst);
}

/// Address range of a mapped BPF array; unmapped on destruction.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : at_(std::exchange(other.at_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  /// Maps `bytes` of the array behind `map_fd`, rounded up to whole pages.
  [[nodiscard]] static Result<Mapping> of(int map_fd, std::size_t bytes, bool writable);
  [[nodiscard]] void* at() const { return at_; }

 private:
  void* at_ = nullptr;
  std::size_t bytes_ = 0;
};

/// The same with a type. An array map pads every value to 8 bytes; all of abi.h is a multiple of 8.
template <typename T>
class MappedArray {
  static_assert(sizeof(T) % 8 == 0);

 public:
  [[nodiscard]] static Result<MappedArray> of(int map_fd, std::size_t entries, bool writable) {
    Result<Mapping> mapping = Mapping::of(map_fd, entries * sizeof(T), writable);
    if (!mapping) return pass_on(mapping);
    MappedArray array;
    array.mapping_ = std::move(*mapping);
    return array;
  }
  [[nodiscard]] bool valid() const { return mapping_.at() != nullptr; }
  [[nodiscard]] T& operator[](std::size_t index) const {
    return static_cast<T*>(mapping_.at())[index];
  }

 private:
  Mapping mapping_;
};

}  // namespace hanet::engine
