#!/usr/bin/env bash
# Stops what up.sh started. usage: down.sh DIR [--delete]     --delete removes the folder too, and with it all data.
set -u
[ -d "${1:-}" ] || exit 0
dir=$(cd "$1" && pwd)
"$(dirname "${BASH_SOURCE[0]}")/node-down.sh" "$dir"
signal=TERM
[ "${2:-}" = --delete ] && signal=KILL

# A process id may have been given to another program since: the cluster's own name its folder.
ours() { ps -o args= -p "$1" 2>/dev/null | grep -qF "$dir"; }
pids=()
for file in "$dir"/pid/*; do
  [ -f "$file" ] || continue
  pid=$(cat "$file")
  ours "$pid" && kill -$signal "$pid" 2>/dev/null && pids+=("$pid")
done
for pid in ${pids[@]+"${pids[@]}"}; do
  for _ in $(seq 100); do
    ours "$pid" || break
    sleep 0.1
  done
  ours "$pid" && kill -KILL "$pid" 2>/dev/null
done
rm -rf "$dir/pid"
[ "${2:-}" = --delete ] && rm -rf "$dir"
exit 0
