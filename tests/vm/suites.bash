# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What runs in the virtual machines: the suites of the build machine, and what needs real drivers.

# shellcheck disable=SC2034 # used by those who source this
readonly VM_SUITES=(bpf netns)

# suite_job SUITE: the script that runs in the guest, in the build directory, with
# guest/report.bash.
suite_job() {
  case $1 in
    bpf) echo 'run_tests tests/bpf/bpf_tests' ;;
    netns) echo 'emulated; run_tests tests/netns/netns_tests' ;;
    *) return 1 ;;
  esac
}

# suite_seconds SUITE: after that the machine is ended. Emulation is slow, and a shared host slower.
suite_seconds() {
  case $1 in
    netns) echo 3000 ;;
    *) echo 600 ;;
  esac
}

suite_devices() { :; }
