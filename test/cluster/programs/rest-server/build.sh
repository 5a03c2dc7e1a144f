#!/usr/bin/env bash
# Builds restic's REST server from its pinned Go module, once, into the user's cache. usage: build.sh     prints the program
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=${XDG_CACHE_HOME:-$HOME/.cache}/data-recovery-service/test-cluster-programs
program=$programs/rest-server-$(cat "$here"/* | sha256sum | cut -c1-12)
if [ ! -x "$program" ]; then
  mkdir -p "$programs"
  cd "$here"
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$program.$$" github.com/restic/rest-server/cmd/rest-server >&2
  mv "$program.$$" "$program"
fi
echo "$program"
