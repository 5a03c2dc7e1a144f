#!/usr/bin/env bash
# Gives a cluster of up.sh a node that runs pods instead of the simulated one: containerd, runc and kubelet on this machine.
#
# usage: node-up.sh DIR      prints this machine's address as pods see it. DIR: a running cluster's folder
#
# node-check.sh says what this needs; node-down.sh DIR stops the node, and so does down.sh. Started again after that, or at any
# other time, the node is what it would be after it was switched off and on. Pods have a network of their own, in which they
# reach this machine and one another, and nothing else. Their images are those of node-images.sh: no registry is asked.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -eq 1 ] || { echo "usage: node-up.sh DIR" >&2; exit 2; }
fail() { echo "test cluster's node: $*" >&2; exit 1; }
why=$("$here/node-check.sh")
[ -z "$why" ] || fail "$why"
bin=$("$here/build.sh")
dir=$(cd "$1" && pwd)
node=$dir/node
[ -f "$dir/port-base" ] || fail "there is no cluster in $dir"

# shellcheck source=programs.sh
. "$here/programs.sh"

"$here/node-down.sh" "$dir"
if [ -f "$dir/pid/kwok" ]; then
  kill "$(cat "$dir/pid/kwok")" || true
  rm "$dir/pid/kwok"
  kubectl delete node node-0 --ignore-not-found >/dev/null
fi
umask 022 # what pods find is as an ordinary node makes it; DIR itself is closed to others
mkdir -p "$node/cni"
base=$(cat "$dir/port-base") # the cluster's first port: no other one has it while this one runs
bridge=drs$base
cgroup=drs-$base
echo "$bridge" >"$node/bridge" # what node-down.sh takes away is written down before it is made
echo "$cgroup" >"$node/cgroup"

# A bridge that this machine is at, too. Its addresses are of the range for benchmarks, which no network uses (RFC 2544).
slot=$((base / 10 % 2048))
net=198.$((18 + slot / 1024)).$((slot / 4 % 256)) first=$((slot % 4 * 64))
subnet=$net.$first/26 address=$net.$((first + 1))
ip link delete "$bridge" 2>/dev/null || true
ip link add "$bridge" type bridge
ip addr add "$address/26" dev "$bridge"
ip link set "$bridge" up
cat >"$node/cni/10-bridge.conflist" <<J
{"cniVersion": "0.4.0", "name": "$bridge", "plugins": [{"type": "bridge", "bridge": "$bridge",
  "ipam": {"type": "host-local", "dataDir": "$node/addresses", "ranges": [[{"subnet": "$subnet", "gateway": "$address"}]]}}]}
J

# A group of its own: a kubelet ends what it does not know below its group.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p "/sys/fs/cgroup/$cgroup"
else
  for hierarchy in /sys/fs/cgroup/*/; do [ -f "$hierarchy/tasks" ] && mkdir -p "$hierarchy$cgroup"; done
fi

cat >"$node/containerd.toml" <<T
version = 2
root = "$node/root"
state = "$node/state"
[grpc]
  address = "$node/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$node/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/local/pause:1"
  restrict_oom_score_adj = true # it takes CAP_SYS_RESOURCE to lower it
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$node/cni"
T
start containerd -c "$node/containerd.toml"
wait_for containerd ctr -a "$node/containerd.sock" version
"$here/node-images.sh" "$bin" "$node"

cat >"$node/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
port: $((base + 5)) # the simulated node's
healthzPort: 0
readOnlyPort: 0
authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: { clientCAFile: "$dir/pki/ca.crt" } }
authorization: { mode: AlwaysAllow }
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: "unix://$node/containerd.sock"
volumePluginDir: "$node/volume-plugins"
podLogsDir: "$node/logs"
evictionHard: { memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1% }
imageGCHighThresholdPercent: 100 # never: an image that is gone cannot be had again
enforceNodeAllocatable: []
serializeImagePulls: false
seccompDefault: true
Y

start kubelet --kubeconfig "$dir/kubeconfig" --config "$node/kubelet.yaml" --root-dir "$node/kubelet" \
  --hostname-override localhost --node-ip "$address" --cert-dir "$node/kubelet/pki"
driver=$(kubectl get storageclass -o 'jsonpath={.items[0].provisioner}')
kubectl apply --server-side -f - >/dev/null <<Y
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: { name: $driver }
spec: { attachRequired: false, podInfoOnMount: false, fsGroupPolicy: File }
Y
wait_for kubelet kubectl wait --for=condition=Ready node/localhost --timeout=1s
wait_for kubelet kubectl wait --for=jsonpath='{.spec.drivers[0].name}'="$driver" csinode/localhost --timeout=1s
echo "$address"
