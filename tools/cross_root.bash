# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A Debian 12 in which hanet is compiled for another processor.
#
# Debian's libraries of two processors have to have the same version on one host, so installing the other
# one's would upgrade this host's; a root of its own, made once by mmdebstrap and kept beside the kernels
# of tests/vm, changes nothing here. Compilers, CMake, clang and bpftool are this machine's, so nothing is emulated.

readonly CROSS_MIRROR=http://deb.debian.org/debian
CROSS_CACHE=${HANET_VM_CACHE:-/var/cache/hanet-vm}
# What runs, and what is linked.
readonly CROSS_TOOLS=(debhelper dpkg-dev cmake ninja-build clang-14 llvm-14 bpftool
  nlohmann-json3-dev libcli11-dev)
readonly CROSS_LIBRARIES=(libc6-dev libstdc++-12-dev libbpf-dev libelf-dev zlib1g-dev libmnl-dev libfmt-dev libsystemd-dev
  libtomlplusplus-dev linux-libc-dev prometheus-cpp-dev pkgconf)  # the last: pkg-config by its processor's name

# cross_compiler ARCH: the package of the compiler, by the processor's name in GNU's words.
cross_compiler() { echo "g++-$(dpkg-architecture -a "$1" -q DEB_HOST_GNU_TYPE 2>/dev/null)"; }

cross_root_make() {  # cross_root_make ARCH DIR
  local packages=("${CROSS_TOOLS[@]}" "$(cross_compiler "$1")" "${CROSS_LIBRARIES[@]/%/:$1}")
  mmdebstrap --quiet --variant=minbase --architectures="$(dpkg --print-architecture),$1" \
    --include="$(IFS=,; echo "${packages[*]}")" --aptopt='APT::Install-Recommends "false"' \
    bookworm "$2" "$CROSS_MIRROR"
}

readonly CROSS_NO_MIRROR=77
mirror_answers() {
  local file status=0
  file=$(mktemp)
  /usr/lib/apt/apt-helper download-file "$CROSS_MIRROR/dists/bookworm/InRelease" "$file" >&2 || status=$?
  rm -f -- "$file"
  return "$status"
}

# cross_root ARCH: prints the directory of the root, making it if it is not there or not of today.
cross_root() {
  local dir=$CROSS_CACHE/debian-12-for-$1 key
  key=$(sha256sum "${BASH_SOURCE[0]}" | cut -d ' ' -f 1)
  if [[ $(cat "$dir.made" 2>/dev/null) != "$key" ]]; then
    rm -rf --one-file-system -- "$dir" "$dir.made"
    mkdir -p "$CROSS_CACHE"
    if ! cross_root_make "$1" "$dir" >&2; then
      rm -rf --one-file-system -- "$dir"
      mirror_answers || return "$CROSS_NO_MIRROR"
      return 1
    fi
    echo "$key" >"$dir.made"
  fi
  printf '%s\n' "$dir"
}

# cross_run ROOT PLACE COMMAND...: runs a command in the root, which has PLACE at /build for so long. The
# mounts are in a namespace of their own and end with it.
cross_run() {
  local root=$1 place=$2
  shift 2
  mkdir -p "$root/build"
  # shellcheck disable=SC2016 # expanded in there
  unshare --mount --propagation private -- sh -c 'root=$1 place=$2; shift 2
    mount --bind "$place" "$root/build" && mount -t proc proc "$root/proc" && exec chroot "$root" "$@"' \
    sh "$root" "$place" "$@"
}
