// SPDX-License-Identifier: Apache-2.0
//
// See maps.h: mmap of a BPF array (kernel/bpf/arraymap.c, array_map_mmap) and its end.
#include "engine/maps.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace hanet::engine {

Mapping::~Mapping() {
  if (at_ != nullptr) ::munmap(at_, bytes_);
}

Result<Mapping> Mapping::of(int map_fd, std::size_t bytes, bool writable) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  Mapping mapping;
  mapping.bytes_ = (bytes + page - 1) / page * page;
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* at = ::mmap(nullptr, mapping.bytes_, protection, MAP_SHARED, map_fd, 0);
  if (at == MAP_FAILED) return errno_error(errno, "map a BPF array into memory");
  mapping.at_ = at;
  return mapping;
}

}  // namespace hanet::engine
