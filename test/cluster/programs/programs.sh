# Sourced by up.sh and node-up.sh: the programs of the cluster in $dir, which are in $bin or on this machine's path.

start() { # NAME ARGUMENTS...
  local name=$1 program=$bin/$1
  shift
  [ -x "$program" ] || program=$name
  setsid "$program" "$@" >>"$dir/log/$name.log" 2>&1 </dev/null &
  echo $! >"$dir/pid/$name"
}
wait_for() { # NAME COMMAND...: until the command succeeds, while the program NAME lives
  local name=$1
  shift
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return
    kill -0 "$(cat "$dir/pid/$name")" 2>/dev/null || break
    sleep 0.3
  done
  tail -n 15 "$dir/log/$name.log" >&2
  fail "$name did not get ready; above are its last lines, all are in $dir/log/$name.log"
}
kubectl() { "$bin/kubectl" --kubeconfig "$dir/kubeconfig" --cache-dir "$dir/kubectl" "$@"; }
