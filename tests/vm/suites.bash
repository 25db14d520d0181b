# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What runs in the virtual machines: the suites of the build machine, and what needs real drivers.

# In a Debian of their own (system_root.bash), with the packages: guest/SUITE_test.
readonly VM_SYSTEM_SUITES=(system managers commands)
# shellcheck disable=SC2034 # used by those who source this
readonly VM_SUITES=(bpf bpf-short main vlans cards drivers-e1000e drivers-virtio drivers-vmxnet3
  netns-1 netns-2 netns-3 netns-4 outages "${VM_SYSTEM_SUITES[@]}")

# suite_job SUITE: the script that runs in the guest, in the build directory, with
# guest/report.bash.
suite_job() {
  case $1 in
    bpf) echo 'run_tests tests/bpf/bpf_tests' ;;
    bpf-short)  # every fifth test, of each table some: each of them loads all programs
      echo 'export GTEST_TOTAL_SHARDS=5 GTEST_SHARD_INDEX=0; run_tests tests/bpf/bpf_tests' ;;
    main | vlans) echo 'emulated; run_tests tests/netns/netns_tests' ;;
    netns-?)  # every fourth test
      echo "export GTEST_TOTAL_SHARDS=4 GTEST_SHARD_INDEX=$((${1#netns-} - 1))"
      echo 'emulated; run_tests tests/netns/netns_tests' ;;
    cards) echo 'emulated; cards virtio && HANET_TEST_FLAPS=20 run_tests tests/netns/netns_tests' ;;
    drivers-*) echo "emulated; cards ${1#drivers-} && run_tests tests/netns/netns_tests" ;;
    system | managers | commands) echo "bash \"\$HANET_SOURCE/tests/vm/guest/$1_test\"" ;;
    outages)  # the rows of README's table, as far as an emulated processor goes
      cat <<'JOB'
status=0
outages() {
  echo "=== $*"
  bench/outage_bench --lab "$HANET_SOURCE/tools/lab" --hanetd ./hanetd --hanetctl ./hanetctl \
    --interval-us 5000 --rate 1000 --trials 10 "$@" || status=1
}
for topology in switch crossover; do
  for family in 4 6; do
    for fault in blackhole carrier; do
      outages --topology $topology --fault $fault --family $family
    done
  done
done
outages --topology trunk --fault blackhole --lost-before 0
outages --topology trunk --fault blackhole --lost-before 1
exit $status
JOB
      ;;
    *) return 1 ;;
  esac
}

suite_has_systemd() { [[ " ${VM_SYSTEM_SUITES[*]} " == *" $1 "* ]]; }

# suite_needs SUITE: what has to be in the build directory.
suite_needs() { if suite_has_systemd "$1"; then echo packages; else echo hanetd; fi; }

# suite_filter SUITE: which tests, for gtest; all if there is nothing.
suite_filter() {
  case $1 in
    main)  # one of each kind, and what the build machine has no drivers for
      printf '%s:' 'Everywhere/AfterAFault.*/CarrierHotSwitchIPv4' \
        'Everywhere/AfterAFault.*/BlackholeColdSwitchIPv6' \
        'Everywhere/AfterAFault.*/BlackholeHotCrossoverIPv4' \
        'Everywhere/AfterAFault.*/OneWayInWarm*IPv4' 'Lifecycle.D7_AfterAKill*' \
        'KeptIdentity.F3_WhenTheI*' 'Independent/OneLostPort.T2*Number0' 'CheckInterfaces.*' \
        'Survival.D7_AKilled*' 'Survival.D7_WhoStarts*' 'Survival.D7_D8_*' 'DaemonLoss.D7_D6_*' \
        'TakingOver.D7_O7_*' 'TakingOver.D7_Until*' 'Uppers.*Vrf*' 'By/VlansMove.*/BlackholeHot' 'Control.O3_M4*' \
        'LiveParameters.D4_AnInterval*' 'Silence.M5_F*' ;;
    vlans) echo 'AboveDevice.A3_V*:Vlans.*:InMode/VlanAnn*:By/VlansMove.*:CheckVlans.*' ;;
    cards) echo 'Carrier.M4*:Cards.M1*:Cards.F1*:SignedCards.M1_F8*:*/MetanetOfFamily.*/0' ;;
    drivers-*)  # of the matrix the topology whose cables are the cards, in every mode that it has
      printf '%s:' 'Carrier.*' 'Cards.*' 'Cards/*' 'SignedCards.*' 'InMode/Announcements.*' 'InMode/VlanAnn*' \
        'By/VlansMove.*' 'Everywhere/AfterAFault.*SwitchIPv*' 'Metanet.*' '*/MetanetOfFamily.*' 'AboveDevice.*' ;;
  esac
}

# suite_seconds SUITE: after that the machine is ended. Emulation is slow, and a shared host slower.
suite_seconds() {
  case $1 in
    netns-?) echo 1800 ;;
    drivers-* | outages | system | managers | commands) echo 1500 ;;  # six to eight minutes on an idle host
    *) echo 900 ;;
  esac
}

# Two cables. The near cards are the host's and of the driver that is tested, the far ones are the
# switch's and of another, so that the near driver can be unloaded alone. Each card has a slot of its
# own, where it can be unplugged.
suite_devices() {
  local near far n
  case $1 in
    drivers-e1000e) near=e1000e far=virtio-net-pci ;;
    drivers-virtio | cards) near=virtio-net-pci far=e1000e ;;
    drivers-vmxnet3 | --*) near=vmxnet3 far=virtio-net-pci ;;
    *) return 0 ;;
  esac
  for n in 0 1; do
    card "n$n" "$near" "$n"
    card "f$n" "$far" "$n"
  done
}

# card NAME MODEL CABLE
card() {
  local number=$(($3 * 2 + 1))
  [[ $1 == n* ]] || number=$((number + 1))
  printf -- '-device pcie-root-port,id=slot-%s,chassis=%d,slot=%d ' "$1" "$number" "$number"
  printf -- '-netdev hubport,id=cable-%s,hubid=%d ' "$1" "$3"
  printf -- '-device %s,id=%s,netdev=cable-%s,bus=slot-%s,mac=52:54:00:00:00:%02x\n' "$2" "$1" "$1" "$1" \
    "$number"
}
