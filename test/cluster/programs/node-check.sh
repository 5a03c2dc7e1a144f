#!/usr/bin/env bash
# Says on standard output in one line why this machine cannot run node-up.sh and the tests on it; nothing where it can.
set -u
needs() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null || { echo "$1 is not installed (Debian: $2)"; exit; }
}
[ "$(uname -s)" = Linux ] || { echo "this is not Linux"; exit; }
[ "$(id -u)" = 0 ] || { echo "it takes root"; exit; }
for program in containerd ctr containerd-shim-runc-v2; do needs "$program" containerd; done
needs runc runc
needs ip iproute2
needs losetup mount
needs setfattr attr # the files of odd-files.ts
needs setfacl acl
busybox --list >/dev/null 2>&1 && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ||
  { echo "no static busybox is installed (Debian: busybox-static)"; exit; }
[ -x /usr/lib/cni/bridge ] || { echo "/usr/lib/cni/bridge is missing (Debian: containernetworking-plugins)"; exit; }
unshare --mount --net true 2>/dev/null || { echo "namespaces cannot be made here: the container this runs in has to be privileged"; exit; }
[ -e /dev/loop-control ] || { echo "there are no loop devices"; exit; }
groups=/sys/fs/cgroup
[ ! -f $groups/cgroup.controllers ] || grep -qw memory $groups/cgroup.subtree_control ||
  { echo "control groups are not handed on: memory is not in $groups/cgroup.subtree_control"; exit; }
[ -w $groups ] || { echo "$groups cannot be written to"; exit; }
