#!/usr/bin/env bash
# usage: odd-files.sh FOLDER   Fills an empty folder with files that are hard to carry.
set -euo pipefail
cd "$1"
mkdir -p deep/er/still empty
echo plain >plain
head -c 3000000 /dev/urandom >deep/random
printf 'odd\n' >"$(printf 'not-utf8-\377\376')"
printf 'odd\n' >$'with\nnewline and "quotes"'
ln plain deep/er/hard-link
ln -s ../plain deep/soft-link
ln -s /nowhere/at/all dangling
mkfifo deep/pipe
truncate -s 300M sparse && printf end >>sparse
for number in $(seq 2000); do echo "$number" >"deep/er/still/$number"; done
setfattr -n user.note -v kept plain
chown 1001:2002 plain deep/random
chown -h 3003:4004 dangling
chmod 4755 deep/random
chmod 0000 deep/er/still/7
chmod 1777 empty
chmod 0700 deep/er
touch -d '2001-02-03 04:05:06.789' deep/random
find . -depth -type d -exec touch -d '2002-03-04 05:06:07' {} +
