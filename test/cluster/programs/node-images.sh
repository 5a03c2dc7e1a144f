#!/usr/bin/env bash
# Makes the images of node-up.sh's node, once. usage: node-images.sh BIN NODE
#
#   docker.io/local/pause:1             what holds a pod's namespaces
#   docker.io/local/busybox:1           Debian's busybox
#   docker.io/restic/restic:VERSION     in the name of restic's own, and like it restic as the entry point, a shell, certificates
set -euo pipefail
bin=$1 node=$2 images=$2/images
[ -f "$images/complete" ] && exit
mkdir -p "$images"

layer() { # FOLDER: FOLDER.tar, of the files in it
  tar --owner=0 --group=0 --mtime=@0 --sort=name -cf "$1.tar" -C "$1" .
}
image() { # NAME CONFIG LAYER...: imports an archive as `docker save` makes it
  local name=$1 config=$2 work=$images/image layers=() ids=() layer id IFS=,
  shift 2
  mkdir "$work"
  for layer; do
    id=$(sha256sum <"$layer" | cut -c1-64)
    ln "$layer" "$work/$id.tar"
    layers+=("\"$id.tar\"")
    ids+=("\"sha256:$id\"")
  done
  cat >"$work/config.json" <<J
{"architecture": "amd64", "os": "linux", "config": $config, "rootfs": {"type": "layers", "diff_ids": [${ids[*]}]}}
J
  cat >"$work/manifest.json" <<J
[{"Config": "config.json", "RepoTags": ["$name"], "Layers": [${layers[*]}]}]
J
  tar -cf "$work.tar" -C "$work" .
  ctr -a "$node/containerd.sock" -n k8s.io image import "$work.tar" >/dev/null
  rm -r "$work" "$work.tar"
}

files=$images/busybox
mkdir -p "$files"/{bin,etc,tmp,root}
chmod 1777 "$files/tmp"
cp "$(command -v busybox)" "$files/bin/busybox"
for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$files/bin/$applet"; done
echo root:x:0:0:root:/root:/bin/sh >"$files/etc/passwd"
echo root:x:0: >"$files/etc/group"
layer "$files"

files=$images/restic
mkdir -p "$files"/{usr/bin,etc/ssl/certs}
cp "$bin/restic" "$files/usr/bin/restic"
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$files/etc/ssl/certs/"
layer "$files"

path='"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]'
image docker.io/local/pause:1 '{"Entrypoint": ["/bin/sleep", "infinity"]}' "$images/busybox.tar"
image docker.io/local/busybox:1 "{$path, \"Cmd\": [\"sh\"]}" "$images/busybox.tar"
image "docker.io/restic/restic:$("$bin/restic" version | cut -d' ' -f2)" "{$path, \"Entrypoint\": [\"/usr/bin/restic\"]}" \
  "$images/busybox.tar" "$images/restic.tar"
rm -r "${images:?}"/*
touch "$images/complete"
