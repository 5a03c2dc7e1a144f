#!/usr/bin/env bash
# Builds the programs of the test cluster from their pinned Go modules, once, into the user's cache.
#
# usage: build.sh      prints the folder that holds them
#
# The folder is named after the modules and this script, so a changed version is built beside the older one. It holds links to
# programs that are named after their own module and this script, so a changed module has only its own programs built again. An
# interrupted build continues where it stopped: a program gets its name only when it is whole. Two builds at once take turns.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
modules=$here/modules
kubernetes=1.35.4

fail() { echo "test cluster: $*" >&2; exit 1; }

key() { cat "$@" | sha256sum | cut -c1-12; } # FILES...

cache=${XDG_CACHE_HOME:-$HOME/.cache}/data-recovery-service
programs=$cache/test-cluster-programs
bin=$cache/test-cluster-$(key "$modules"/*/* "$here/build.sh")
[ -f "$bin/complete" ] && { echo "$bin"; exit 0; }

command -v openssl >/dev/null || fail "openssl is not installed: it makes the cluster's certificates"
command -v go >/dev/null || fail "Go is not installed: Go 1.26 or newer builds the cluster's programs (once, about 12 minutes)"
# Asked inside a module: a Go that fetches the version a module names may do so.
version=$(cd "$modules/csi-dir" && go env GOVERSION 2>&1) || fail "Go 1.26 or newer is needed: $version"

mkdir -p "$bin" "$programs"
if command -v flock >/dev/null; then
  exec 9>"$programs/lock"
  flock 9
  [ -f "$bin/complete" ] && { echo "$bin"; exit 0; }
fi

export CGO_ENABLED=0
component=k8s.io/component-base/version
stamp="-X $component.gitVersion=v$kubernetes -X $component.gitMajor=1 -X $component.gitMinor=35"

build() { # MODULE PACKAGE [NAME]: the program is called as its package's last part, or NAME
  local module=$1 package=$2 name=${3:-$(basename "$2")} program
  program=$programs/$name-$(key "$modules/$module"/* "$here/build.sh")
  if [ ! -x "$program" ]; then
    echo "test cluster: building $name" >&2
    (cd "$modules/$module" && go build -trimpath -ldflags "-s -w $stamp" -o "$program.$$" "$package") ||
      fail "$name was not built: the lines above say why"
    mv "$program.$$" "$program"
  fi
  ln -sf "$program" "$bin/$name"
}
snapshotter=github.com/kubernetes-csi/external-snapshotter/v8/cmd
build csi-dir . csi-dir
build etcd go.etcd.io/etcd/server/v3 etcd
for name in kube-apiserver kube-controller-manager kube-scheduler kubectl kubelet; do build kubernetes "k8s.io/kubernetes/cmd/$name"; done
for name in snapshot-controller csi-snapshotter; do build external-snapshotter "$snapshotter/$name"; done
build external-provisioner github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner
build kwok sigs.k8s.io/kwok/cmd/kwok
build versitygw github.com/versity/versitygw/cmd/versitygw
GOFLAGS="$(go env GOFLAGS) -tags=disable_grpc_modules" build restic github.com/restic/restic/cmd/restic

# Starting a cluster needs neither Go nor its module cache: the snapshot kinds' definitions are kept beside the programs.
crds=$(cd "$modules/external-snapshotter" && go list -m -f '{{.Dir}}' github.com/kubernetes-csi/external-snapshotter/client/v8)
mkdir -p "$bin/crd"
cp -f "$crds"/config/crd/*snapshot*.yaml "$bin/crd/"
chmod u+w "$bin"/crd/*
rm -f "$programs"/*.[0-9]*
touch "$bin/complete"
echo "$bin"
