#!/usr/bin/env bash
# Stops what node-up.sh started, as pulling the plug would, and takes away what it made on this machine. usage: node-down.sh DIR
set -u
dir=$(cd "${1:-/nonexistent}" 2>/dev/null && pwd) || exit 0
node=$dir/node
[ -f "$node/cgroup" ] || exit 0
cgroup=$(cat "$node/cgroup")

# A process id may have been given to another program since: the node's own name its folder.
for name in kubelet containerd; do
  pid=$(cat "$dir/pid/$name" 2>/dev/null) && ps -o args= -p "$pid" | grep -qF "$node" && kill -KILL "$pid"
  rm -f "$dir/pid/$name"
done
shims() { pgrep -f -- "^[^ ]*containerd-shim[^ ]* .*-address $node/containerd.sock"; }
contained() { find /sys/fs/cgroup -path "*/$cgroup/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u; }
for _ in $(seq 50); do
  pids=$(shims; contained)
  [ -z "$pids" ] && break
  # shellcheck disable=SC2086 # one for each word
  kill -KILL $pids 2>/dev/null
  sleep 0.1
done

# What shims and runc keep outside of the folder.
for task in "$node"/state/io.containerd.runtime.v2.task/*/*/; do
  [ -f "$task/address" ] && rm -f "$(sed 's,^unix://,,' "$task/address")"
  rm -rf "/run/containerd/runc/k8s.io/$(basename "$task")"
done
# The kubelet's own loop device of a block volume lies on the driver's; once unmounted it no longer says where.
losetup --list --noheadings --output NAME,BACK-FILE | while read -r device file; do
  case $file in "$dir"/*) losetup --detach "$device" 2>/dev/null ;; esac
done
mounts() { awk -v node="$node/" 'index($5, node) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }
mounts | while read -r path; do umount -l "$path"; done
find /sys/fs/cgroup -depth -type d \( -path "*/$cgroup" -o -path "*/$cgroup/*" \) -exec rmdir {} + 2>/dev/null
ip link delete "$(cat "$node/bridge")" 2>/dev/null
find /var/log/containers -lname "$node/*" -delete 2>/dev/null
rm -rf "$node/addresses" "$node/cgroup"
exit 0
