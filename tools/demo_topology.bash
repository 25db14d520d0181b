# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What a demonstration needs to know of each network of tools/lab: a picture, who runs hanet, who
# talks to whom, what breaks and how to say so. Sourced by tools/demo; set_topology NAME sets these:
#
#   HANET_NODES   the nodes with hanetd, the one that explains first
#   SERVER CLIENT nodes of the download, with SERVER_ADDRESS and CLIENT_ADDRESS
#   FAULT         the kind of `lab fault` that hits the primary path, or FAULT_PLACE of it
#   FAULT_TEXT    the same for people
#   METER_FLOWS   so many flows are measured, and the worst of them counts
#   LAB_TOPOLOGY  what tools/lab calls the network
#   CONFIG        more options of `lab config`
#   FIRST_PLACE   a port that is cut before, or nothing; FIRST_TEXT for people
# shellcheck disable=SC2034 # read by tools/demo

readonly TOPOLOGIES='switch|metanet|crossover|two-switches|firewall|trunk'
readonly SILENT_CUT='Cutting the primary cable silently: the carrier stays and every frame vanishes.'

set_topology() {
  FAULT=blackhole FAULT_TEXT=$SILENT_CUT FAULT_PLACE=primary FIRST_PLACE='' FIRST_TEXT=''
  METER_FLOWS=1 LAB_TOPOLOGY=$1 CONFIG=()
  case $1 in
    switch)
      HANET_NODES=(host) SERVER=host CLIENT=client
      SERVER_ADDRESS=192.0.2.1 CLIENT_ADDRESS=192.0.2.10 ;;
    metanet)
      HANET_NODES=(host) SERVER=host CLIENT=client LAB_TOPOLOGY=switch CONFIG=(--mode metanet)
      SERVER_ADDRESS=192.0.2.1 CLIENT_ADDRESS=192.0.2.10 ;;
    crossover)
      HANET_NODES=(a b) SERVER=a CLIENT=b
      SERVER_ADDRESS=192.0.2.1 CLIENT_ADDRESS=192.0.2.2 ;;
    two-switches)
      HANET_NODES=(a b) SERVER=a CLIENT=b
      SERVER_ADDRESS=192.0.2.101 CLIENT_ADDRESS=192.0.2.201  # virtual addresses
      FAULT=switch FAULT_TEXT='Switching br0 off: every port of that switch loses its carrier.' ;;
    firewall)
      HANET_NODES=(fw) SERVER=in CLIENT=out
      SERVER_ADDRESS=192.0.2.10 CLIENT_ADDRESS=198.51.100.10 ;;
    trunk)
      HANET_NODES=(host) SERVER=host CLIENT=client
      SERVER_ADDRESS=192.0.2.1 CLIENT_ADDRESS=192.0.2.10
      METER_FLOWS=16  # some by each port
      # Frames come in by the first port that works, so both cuts hit what is measured.
      FIRST_PLACE=p0 FAULT_PLACE=p1
      FIRST_TEXT='Cutting port p0 of the primary trunk silently: one of four, fewer than half.'
      FAULT_TEXT='Cutting port p1 as well: two of four are half, so the trunk is down.' ;;
    *) return 1 ;;
  esac
}

picture() {
  case $1 in
    switch) cat <<'TEXT' ;;

     host ──p0──╳──┐
      │            ├── switch ── client
      └────p1──────┘
TEXT
    metanet) cat <<'TEXT' ;;

                   ┌─p0──╳──┐
     host ─ mether0┤        ├── switch ── client
                   └─p1─────┘
TEXT
    crossover) cat <<'TEXT' ;;

     a ──p0─────╳─────p0── b
     └───p1───────────p1───┘
TEXT
    two-switches) cat <<'TEXT' ;;

     a ──p0── br0 ╳ ──p0── b
     │         │           │
     └───p1── br1 ────p1───┘
TEXT
    firewall) cat <<'TEXT' ;;

                         ┌─p0──╳── br0 ─┐
     out ──── e0 firewall┤              │
                         └─p1───── br1 ─┴── in
TEXT
    trunk) cat <<'TEXT' ;;

            ┌─p0──╳─┐
            ├─p1──╳─┤
            ├─p2────┼── br0 ─┐
     host ──┼─p3────┘        ├── br2 ─┬── client
            ├─p4────┐        │        └── far
            ├─p5────┼── br1 ─┘
            ├─p6────┤
            └─p7────┘
TEXT
  esac
}
