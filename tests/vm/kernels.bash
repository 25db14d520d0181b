# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian's kernels for the virtual machines: which there are, where they come from, what boots.
#
# Point releases are superseded, so a package's name is looked up when it is needed, and what was
# unpacked is kept outside the repository. Without a network the newest kernel that was kept is
# used; without one of those either, the caller has nothing to boot and says so.
#
#   $HANET_VM_CACHE/PACKAGE/vmlinux, initramfs, lib/modules/VERSION
#
# An uncompressed kernel boots a second or two faster under emulation than Debian's vmlinuz.

# shellcheck disable=SC2034 # used by those who source this
readonly VM_KERNELS=(6.1 6.12 6.12-rt)
# What the initramfs needs to reach the host's files; everything else is loaded from there.
readonly VM_BOOT_MODULES=(virtio_pci 9pnet_virtio 9p overlay)

VM_CACHE=${HANET_VM_CACHE:-/var/cache/hanet-vm}

# vm_pattern KERNEL: what its packages are called.
vm_pattern() {
  case $1 in
    6.1) echo '^linux-image-6\.1\.0-[0-9]+-amd64$' ;;
    6.12) echo '^linux-image-6\.12\.[0-9]+\+deb12-amd64$' ;;
    6.12-rt) echo '^linux-image-6\.12\.[0-9]+\+deb12-rt-amd64$' ;;
    *) return 1 ;;
  esac
}

# vm_newest KERNEL: the newest of the names on stdin.
vm_newest() { { grep -E "$(vm_pattern "$1")" || true; } | sort -V | tail -n 1; }

vm_offered() { apt-cache pkgnames linux-image-6 | vm_newest "$1"; }

vm_kept() {
  local path
  for path in "$VM_CACHE"/linux-image-*/initramfs; do
    [[ ! -e $path ]] || basename -- "${path%/*}"
  done | vm_newest "$1"
}

# vm_unpack_image FILE: the kernel inside a bzImage, on stdout. Documentation/arch/x86/boot.rst:
# payload_offset and payload_length count from behind the setup sectors; the payload's last four
# bytes are its size.
vm_unpack_image() {
  local sectors offset length
  sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$1")
  offset=$(od -An -tu4 -j $((0x248)) -N 4 "$1")
  length=$(od -An -tu4 -j $((0x24c)) -N 4 "$1")
  offset=$(((sectors + 1) * 512 + offset))
  # shellcheck disable=SC2054 # commas inside an option
  local payload=(dd "if=$1" bs=1M iflag=skip_bytes,count_bytes "skip=$offset" "count=$((length - 4))"
    status=none)
  case $(od -An -tx1 -j "$offset" -N 4 "$1") in
    ' fd 37 7a 58') "${payload[@]}" | xz -dc --single-stream ;;
    ' 28 b5 2f fd') "${payload[@]}" | zstd -dcq ;;
    *) echo "$1: packed in a way that is not known here" >&2; return 1 ;;
  esac
}

# vm_make_initramfs DIR VERSION INIT: busybox, the modules in the order of their needs, and INIT.
vm_make_initramfs() {
  local dir=$1 version=$2 init=$3 tree module path name
  tree=$(mktemp -d)
  mkdir -p "$tree"/{bin,dev,lower,modules,proc,rw,sys,system}
  cp /bin/busybox "$tree/bin/busybox"
  cp "$init" "$tree/init"
  for module in "${VM_BOOT_MODULES[@]}"; do
    modprobe -S "$version" -d "$dir" --show-depends "$module" || return 1
  done | while read -r verb path _; do
    [[ $verb == insmod ]] || continue  # the others are built in
    name=${path##*/}
    [[ ! -e $tree/modules/${name%.xz} ]] || continue
    cp "$path" "$tree/modules/"
    [[ $name != *.xz ]] || xz -d "$tree/modules/$name"
    echo "${name%.xz}" >>"$tree/modules/order"
  done
  (cd "$tree" && find . | cpio --quiet -o -H newc) >"$dir/initramfs.part"
  rm -rf -- "$tree"
  mv "$dir/initramfs.part" "$dir/initramfs"  # last: it stands for the whole
}

# vm_fetch PACKAGE INIT: downloads and prepares one package.
vm_fetch() {
  local dir=$VM_CACHE/$1 version=${1#linux-image-}
  rm -rf -- "$dir"
  mkdir -p "$dir"
  (cd "$dir" && apt-get download -q "$1" >&2) || return 1
  dpkg -x "$dir"/*.deb "$dir" || return 1
  vm_unpack_image "$dir/boot/vmlinuz-$version" >"$dir/vmlinux" || return 1
  rm -rf -- "$dir"/*.deb "${dir:?}"/{boot,usr}
  depmod -b "$dir" "$version" || return 1
  vm_make_initramfs "$dir" "$version" "$2"
}

# vm_kernel KERNEL INIT: prints the directory of a kernel that can be booted, fetching it if there is
# a newer one. 1: there is none.
vm_kernel() {
  local newest kept lock
  mkdir -p "$VM_CACHE"
  exec {lock}>"$VM_CACHE/lock"
  flock "$lock"  # two machines may want the same one
  kept=$(vm_kept "$1")
  newest=$(vm_offered "$1")
  if [[ -n $newest && $newest != "$kept" ]] && vm_fetch "$newest" "$2"; then kept=$newest; fi
  if [[ -z $kept ]]; then  # the list of packages may be missing, or older than the packages
    apt-get update -q >&2 || true
    newest=$(vm_offered "$1")
    if [[ -n $newest ]] && vm_fetch "$newest" "$2"; then kept=$newest; fi
  fi
  [[ -n $kept ]] || return 1
  # The init script is part of this repository, so the one of today counts.
  [[ $VM_CACHE/$kept/initramfs -nt $2 ]] ||
    vm_make_initramfs "$VM_CACHE/$kept" "${kept#linux-image-}" "$2" || return 1
  printf '%s\n' "$VM_CACHE/$kept"
}
