#!/usr/bin/env bash
# Installs a program from the Python Package Index, once, into a folder of its own in the user's cache folder, and prints the
# folder that holds its commands. Where that cannot be done it ends with 3 and says on standard error "PACKAGE: why: skipped".
# usage: python-tool.sh PACKAGE VERSION
set -euo pipefail
package=$1 version=$2
home=${XDG_CACHE_HOME:-$HOME/.cache}/data-recovery-service/$package-$version

skip() {
  printf '%s: %s: skipped\n' "$package" "$1" >&2
  exit 3
}
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || skip "no Python 3.10 or newer with venv"
# Written last: without it an earlier run was ended before all was there.
if [ ! -e "$home/whole" ]; then
  rm -rf "$home"
  python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "$package==$version" >&2 || { rm -rf "$home"; skip "pip cannot install version $version"; }
  touch "$home/whole"
fi
printf '%s\n' "$home/bin"
