// SPDX-License-Identifier: Apache-2.0
//
// Which interface is which port: the two maps behind one question (maps.bpf.h).
#pragma once

#include <bpf/bpf.h>

#include <cstdint>

#include "hanet.skel.h"
#include "hanet/abi.h"

namespace hanet::engine {

/// Makes the programs take `ifindex` for `port`. Returns 0 or a negative errno value.
[[nodiscard]] inline int enter_port(const hanet_bpf& skeleton, std::uint32_t ifindex,
                                    std::uint32_t port) {
  if (ifindex >= HANET_LOW_IFINDEX)
    return bpf_map_update_elem(bpf_map__fd(skeleton.maps.port_of_ifindex), &ifindex, &port,
                               BPF_ANY);
  const std::uint32_t value = port + 1;
  return bpf_map_update_elem(bpf_map__fd(skeleton.maps.port_of_low_ifindex), &ifindex, &value,
                             BPF_ANY);
}

/// The interface is no port any more; what it is already is no error.
inline void strike_port(const hanet_bpf& skeleton, std::uint32_t ifindex) {
  if (ifindex >= HANET_LOW_IFINDEX) {
    bpf_map_delete_elem(bpf_map__fd(skeleton.maps.port_of_ifindex), &ifindex);
    return;
  }
  const std::uint32_t none = 0;
  bpf_map_update_elem(bpf_map__fd(skeleton.maps.port_of_low_ifindex), &ifindex, &none, BPF_ANY);
}

}  // namespace hanet::engine
