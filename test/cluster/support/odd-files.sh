#!/usr/bin/env bash
# Fills a folder with files that are easily not restored as they were. Takes root. usage: odd-files.sh FOLDER
set -euo pipefail
cd "$1"
umask 022
long_ago='2001-02-03 04:05:06.123456789'

echo plain >plain
: >empty
mkdir -p tree/a/b/c empty-folder
echo deep >tree/a/b/c/deep
head -c 3000000 /dev/urandom >random
mkdir many
for i in $(seq 300); do echo "$i" >"many/$i"; done

# Owners and modes, those that only their owner may read, and the bits above them.
echo secret >owned && chown 1234:4321 owned && chmod 600 owned
echo nobody >locked && chown 1234:4321 locked && chmod 000 locked
echo x >setuid && chown 1234:4321 setuid && chmod 4711 setuid
echo x >setgid && chown 1234:4321 setgid && chmod 2755 setgid
mkdir shared sticky closed
chown 1234:4321 shared && chmod 2775 shared
chmod 1777 sticky
echo hidden >closed/hidden && chown -R 1234:4321 closed && chmod 500 closed

# Names: not UTF-8, with what shells and logs trip over, and as long as can be.
: >$'not-utf-8-\xff\xfe' && echo latin >$'caf\xe9' && mkdir $'folder-\xe4'
: >$'folder-\xe4/in it'
: >$'new\nline' && : >'back\slash' && : >'quote"'"'" && : >' spaces ' && : >-dash && : >'*' && : >'ünïcödé'
: >"$(printf 'n%.0s' $(seq 255))"

# Links: soft ones, broken and owned by others, and hard ones in two folders.
ln -s plain soft && ln -s nowhere/at/all broken && ln -s $'caf\xe9' odd-link
ln -s tree/a folder-link && chown -h 1234:4321 soft
echo shared-by-three >tree/hard && ln tree/hard hard-1 && ln tree/hard tree/a/hard-2

# Attributes and access lists, of folders too, with defaults.
setfattr -n user.text -v 'a value' plain
setfattr -n user.binary -v 0x00ff00 plain
setfattr -n user.large -v "$(printf 'v%.0s' $(seq 1000))" owned
setfattr -n user.folder -v yes empty-folder
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 random
echo acl >listed && setfacl -m u:77:rw,g:78:r,m::rw listed
setfacl -m u:77:rwx shared && setfacl -d -m u:77:rwx,g:79:rx shared

# Neither file nor folder.
mkfifo fifo && chown 1234:4321 fifo && chmod 620 fifo
mknod null c 1 3 && mknod disk b 7 99
perl -MSocket -e 'my $s; socket($s, PF_UNIX, SOCK_STREAM, 0) && bind($s, pack_sockaddr_un("socket")) or die "socket: $!"'
chmod 700 socket

# Holes: before, between and after what is stored.
truncate -s 64M sparse
printf begin | dd of=sparse conv=notrunc status=none
printf middle | dd of=sparse bs=1M seek=40 conv=notrunc status=none
truncate -s 128M holes-only

# Times, last of all, and the folder's own mode and owner.
touch -h -d "$long_ago" soft plain tree/a/b/c/deep random fifo tree/hard
touch -d '1969-12-31 23:59:59.5' empty
touch -d '2150-01-01 00:00:00.000000001' owned
touch -d "$long_ago" tree/a/b/c tree/a/b tree empty-folder closed shared
chown 1234:4321 . && chmod 2775 . && touch -d "$long_ago" .
