#!/usr/bin/env bash
# Starts a real Kubernetes cluster without containers, as local processes on the loopback interface: etcd, kube-apiserver,
# kube-controller-manager, kube-scheduler, kwok as the kubelet of one simulated node, snapshot-controller, csi-snapshotter,
# csi-provisioner, and csi-dir, a CSI driver whose volumes are folders.
#
# usage: up.sh DIR     prints the kubeconfig's path; down.sh DIR stops the cluster
#
# Volumes lie in DIR/csi/volumes/HANDLE, snapshots in DIR/csi/snapshots/HANDLE, logs in DIR/log. A command run in a pod (kubectl
# exec) runs as a local process in DIR. PORT_BASE names the first of six ports; without it six free ones are taken, so that
# clusters run side by side. SERVICE_RANGE names another range of services' addresses than 10.96.0.0/16. DRIVER and STORAGE_CLASS
# name the CSI driver (dir.csi.test) and its class (dir); with SNAPSHOTS=no the cluster knows no volume snapshots. With STOP_WITH
# the cluster is stopped and DIR deleted once the process of that id is gone. node-up.sh gives it a node that runs pods.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -eq 1 ] || { echo "usage: up.sh DIR" >&2; exit 2; }
bin=$("$here/build.sh")
mkdir -p "$1"
dir=$(cd "$1" && pwd)
umask 077
mkdir -p "$dir"/{pki,log,etcd,csi,pid,node/kubelet/plugins_registry}
cd "$dir"
driver=${DRIVER:-dir.csi.test} class=${STORAGE_CLASS:-dir} snapshots=${SNAPSHOTS:-yes}

fail() {
  echo "test cluster: $*" >&2
  "$here/down.sh" "$dir"
  exit 1
}
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
six_free() { for port in $(seq "$1" $(($1 + 5))); do listening "$port" && return 1; done; return 0; }

base=${PORT_BASE:-}
if [ -n "$base" ]; then
  six_free "$base" || fail "one of the ports $base to $((base + 5)) is in use"
else
  # Below the ports that outgoing connections are given.
  until base=$((20000 + RANDOM % 1200 * 10)) && six_free "$base"; do :; done
fi
echo "$base" >port-base
etcd=http://127.0.0.1:$base peer=http://127.0.0.1:$((base + 1))
api=$((base + 2)) manager=$((base + 3)) scheduler=$((base + 4)) node=$((base + 5))

# shellcheck source=programs.sh
. "$here/programs.sh"
# A program that ends itself, to be started again by the kubelet.
keep() { # NAME ARGUMENTS...
  local name=$1
  shift
  # shellcheck disable=SC2016 # it is expanded there
  setsid bash -c 'log=$1 pid=$2; shift 2; while :; do "$@" >>"$log" 2>&1 & echo $! >"$pid"; wait; sleep 1; done' \
    keep "$dir/log/$name.log" "$dir/pid/$name" "$bin/$name" "$@" >/dev/null 2>&1 </dev/null &
  echo $! >"$dir/pid/keeper-of-$name" # comes before what it keeps, and so is stopped before it
}

# Etcd starts while the certificates are made.
start etcd --data-dir "$dir/etcd" --log-level warn --unsafe-no-fsync --quota-backend-bytes 8589934592 \
  --listen-client-urls "$etcd" --advertise-client-urls "$etcd" --listen-peer-urls "$peer" \
  --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer"

if [ ! -f pki/complete ]; then
  key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
  # shellcheck disable=SC2086 # $key holds several arguments
  {
    openssl req -x509 $key -keyout pki/ca.key -out pki/ca.crt -days 3650 -subj /CN=test-ca
    issue() { # NAME SUBJECT ADDRESSES
      openssl req $key -keyout "pki/$1.key" -out "pki/$1.csr" -subj "$2"
      openssl x509 -req -in "pki/$1.csr" -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 3650 -out "pki/$1.crt" \
        -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3")
    }
    issue apiserver /CN=kube-apiserver IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc
    issue admin /O=system:masters/CN=admin DNS:admin
    openssl genrsa -out pki/service-account.key 2048
    openssl rsa -in pki/service-account.key -pubout -out pki/service-account.pub
  } >log/openssl.log 2>&1 || { tail -n 5 log/openssl.log >&2; fail "openssl made no certificates"; }
  touch pki/complete
fi

cat >kubeconfig <<K
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:$api", certificate-authority: "$dir/pki/ca.crt"}}]
users: [{name: admin, user: {client-certificate: "$dir/pki/admin.crt", client-key: "$dir/pki/admin.key"}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
K
cat >kwok.yaml <<K
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterExec
metadata: {name: local}
spec: {execs: [{local: {workDir: "$dir"}}]}
K

start kube-apiserver --etcd-servers="$etcd" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port=$api \
  --endpoint-reconciler-type=none --tls-cert-file="$dir/pki/apiserver.crt" --tls-private-key-file="$dir/pki/apiserver.key" \
  --client-ca-file="$dir/pki/ca.crt" --service-account-key-file="$dir/pki/service-account.pub" \
  --service-account-signing-key-file="$dir/pki/service-account.key" \
  --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range="${SERVICE_RANGE:-10.96.0.0/16}" \
  --authorization-mode=Node,RBAC --allow-privileged=true --kubelet-preferred-address-types=InternalIP,Hostname \
  --kubelet-client-certificate="$dir/pki/admin.crt" --kubelet-client-key="$dir/pki/admin.key"
wait_for kube-apiserver kubectl get --raw /readyz

# What is tried again after seconds in a real cluster is tried again at once.
client=--kubeconfig=$dir/kubeconfig fast="--kube-api-qps=500 --kube-api-burst=1000"
retry="--retry-interval-start=100ms --retry-interval-max=2s"
# shellcheck disable=SC2086 # $fast and $retry hold several arguments
{
  start kube-controller-manager "$client" $fast --bind-address=127.0.0.1 --secure-port=$manager --leader-elect=false \
    --pvclaimbinder-sync-period=2s --service-account-private-key-file="$dir/pki/service-account.key" --root-ca-file="$dir/pki/ca.crt"
  # It ends when a pod is not where it was, which an API server that died may make it believe:
  # https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/scheduler/backend/cache/cache.go
  keep kube-scheduler "$client" $fast --bind-address=127.0.0.1 --secure-port=$scheduler --leader-elect=false
  start kwok "$client" --config="$dir/kwok.yaml" --manage-all-nodes --cidr=10.200.0.1/16 --node-ip=127.0.0.1 \
    --node-port=$node --server-address=127.0.0.1:$node --node-lease-duration-seconds=40
  start csi-dir -socket "$dir/csi/csi.sock" -root "$dir/csi" -name "$driver" -plugins "$dir/node/kubelet/plugins_registry"
  if [ "$snapshots" = yes ]; then
    kubectl apply --server-side -f "$bin/crd" >/dev/null || fail "the snapshot kinds were not accepted"
    start snapshot-controller "$client" $fast $retry
    start csi-snapshotter "$client" $fast $retry --csi-address="$dir/csi/csi.sock"
  fi
  start csi-provisioner "$client" $fast $retry --csi-address="$dir/csi/csi.sock"
}
for file in cluster $([ "$snapshots" = yes ] && echo snapshots); do
  sed -e "s/DRIVER/$driver/; s/CLASS/$class/" "$here/$file.yaml" >"$file.yaml"
  wait_for kube-apiserver kubectl apply --server-side -f "$file.yaml"
done
wait_for kwok kubectl wait --for=condition=Ready node/node-0 --timeout=1s
wait_for kube-controller-manager kubectl get serviceaccount default

if [ -n "${STOP_WITH:-}" ]; then
  setsid bash -c 'while kill -0 "$1" && [ -d "$2/pid" ]; do sleep 1; done; [ -d "$2/pid" ] && "$3" "$2" --delete' \
    stop-with "$STOP_WITH" "$dir" "$here/down.sh" >/dev/null 2>&1 </dev/null &
fi
echo "$dir/kubeconfig"
