# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Running a gtest program in a test machine, with a last line that programs can read.

# Everything takes several times as long as on the host, and a verdict that comes from a slow machine
# proves nothing. nft takes longer than the 200 ms that hanet gives a switch for choosing new ports.
# What these kernels are known to offer must be used, so that a probe that finds less is seen.
emulated() {
  export HANET_TEST_LINK_SOURCE=fentry HANET_TEST_TC=tcx
  [[ $(uname -r) != 6.1.* ]] || HANET_TEST_TC=clsact
  export HANET_TEST_INTERVAL_US=${HANET_TEST_INTERVAL_US:-20000} HANET_LAB_SWITCH_FIRST=1
}

# cards DRIVER: loads the drivers of the cards that tests/vm/suites.bash puts in, names the cards by
# their places, and tells the tests of them. Returns 1, with the reason, where that is not what there
# is: on veth ends the same tests would pass.
cards() {
  local name number address path model=$1
  [[ $model != virtio ]] || model=virtio-net-pci  # what the emulator calls it
  # Under emulation e1000e tells of a lost link only with legacy interrupts. It is said here because
  # a test loads the driver again.
  echo 'options e1000e IntMode=0,0,0,0' >/etc/modprobe.d/hanet-cards.conf
  modprobe -a e1000e virtio_net vmxnet3 || return 1
  # A driver probes its cards after modprobe has returned.
  for ((number = 0; number < 100; number++)); do
    (($(grep -l '^52:54:00:00:00:0[1-4]' /sys/class/net/*/address | wc -l) < 4)) || break
    sleep 0.1
  done
  for path in /sys/class/net/*; do
    address=$(cat "$path/address")
    [[ $address == 52:54:00:00:00:0[1-4] ]] || continue
    number=$((${address##*:} - 1))
    name=$( ((number % 2)) && echo f || echo n)$((number / 2))
    ip link set "${path##*/}" down
    ip link set "${path##*/}" name "$name"
  done
  for name in n0 f0 n1 f1; do
    [[ -e /sys/class/net/$name ]] || { echo "ERROR: there is no card $name"; return 1; }
  done
  path=$(readlink -f /sys/class/net/n0/device/driver)
  [[ ${path##*/} == "${1/virtio/virtio_net}" ]] ||
    { echo "ERROR: the driver of n0 is ${path##*/}, not $1"; return 1; }
  export HANET_TEST_CARDS=p0=n0:f0,p1=n1:f1 HANET_TEST_CARD_MODEL=$model
}

# run_tests PROGRAM [ARGUMENTS]: all of it, or what --filter of tests/vm/run says. The console says at
# once which test begins and how it ends, and what it wrote if it failed: a machine that hangs shows
# where, and what went before.
run_tests() {
  local program=$1 status=0 output=/tmp/output
  shift
  local filter=()
  [[ -z $HANET_FILTER ]] || filter=("--gtest_filter=$HANET_FILTER")
  "$program" --gtest_brief=0 "$@" "${filter[@]}" 2>&1 | tee "$output" |
    sed -u -n '/^\[ RUN /{h;p;d}; H; /^\[ *\(OK\|SKIPPED\) *\]/{p;s/.*//;h}
               /^\[ *FAILED *\].* ms)$/{x;p;s/.*//;h}; $ {x;p}'
  status=${PIPESTATUS[0]}
  if grep -q '^\[==========\] 0 tests ' "$output"; then
    echo "ERROR: no test is called ${HANET_FILTER:-so}"
    status=1
  fi
  summarize "$output"
  return "$status"
}

# What was measured, the names and reasons of what was skipped, and "hanet-vm: N passed, N failed, N
# skipped".
summarize() {
  awk -v kernel="$(uname -r)" -v suite="$HANET_SUITE" '
    /^\[       OK \]/ { passed++ }
    /^\[ RUN      \]/ { name = $4 }
    match($0, /skipped: /) { reason[name] = substr($0, RSTART) }
    /^measured: / { print "  " name ": " $0 }
    /^\[  SKIPPED \]/ && /\([0-9]+ ms\)/ { skipped++; print "  " name ": " reason[name] }
    /^\[  FAILED  \]/ && /\([0-9]+ ms\)/ { failed++ }
    END { printf "hanet-vm: %s, %s: %d passed, %d failed, %d skipped\n", suite, kernel, passed, failed, skipped }' "$1"
}
