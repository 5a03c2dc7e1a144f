/*
 * Scripts of movers, run by `sh`. Variable values come in as arguments or by the environment, and never become part of a script.
 * The last command replaces the shell, so that it gets the pod's signals, gives its locks back, and its exit code is the
 * container's.
 */

/** Where a mover finds the repository's passwords, the current one first in the order of their names. */
export const keysFolder = "/drs/keys";
/** Where it finds what the Secret of credentials holds, as files. */
export const credentialsFolder = "/drs/credentials";
export const currentKey = "00";
/** Where a block volume's device is. */
export const devicePath = "/dev/drs-volume";
/** Where a mover restores to: a volume is mounted in it at the path that it was copied from, so that its own folder is restored, too. */
export const restoredFolder = "/restored";

/** Takes the first password that opens the repository for this command; `code` is what restic says of the last one that was tried. */
function openFor(command: string): string {
  return `
for RESTIC_PASSWORD_FILE in ${keysFolder}/*; do
  export RESTIC_PASSWORD_FILE
  code=0
  restic ${command} --json >/dev/null || code=$?
  [ "$code" = 12 ] || break
done
`;
}
const open = openFor("cat config --no-lock");
const orFail = `[ "$code" = 0 ] || exit "$code"\n`;

/**
 * Removes locks of movers that died: those without a sign of life for 30 minutes, which restic itself leaves alone otherwise, and
 * waits for in vain. One that may not be deleted (1) is no reason to stop: most keep nothing from copying and restoring.
 */
const openUnlocked = `${openFor("unlock")}[ "$code" = 1 ] || ${orFail}`;

/** The first argument of scripts: whether the repository has to be there, as copies are recorded that it has, or there may be none yet. */
export function presence(isRequired: boolean): string {
  return isRequired ? "required" : "optional";
}

/**
 * Makes the repository where there is none and its presence is optional, and adds the current password where only an older one
 * opens it.
 */
export const prepareScript = `${open}
if [ "$code" = 10 ] && [ "$1" = optional ]; then
  RESTIC_PASSWORD_FILE=${keysFolder}/${currentKey}
  exec restic init --json
fi
${orFail}
[ "$RESTIC_PASSWORD_FILE" = ${keysFolder}/${currentKey} ] || exec restic key add --new-password-file ${keysFolder}/${currentKey}
`;

/**
 * Waits so long, at most, for a program that has the repository for itself, such as a prune: restic says then that it is locked, before
 * its mover counts as one without progress (`run-mover.ts`).
 */
const retryLock = "--retry-lock 20m";

/** `restic backup` with the arguments. */
export const backupFilesScript = `${openUnlocked}exec restic backup --json ${retryLock} "$@"\n`;

/** The same of all bytes of a block volume. */
export const backupDeviceScript = `${openUnlocked}exec restic backup --json ${retryLock} --stdin "$@" <${devicePath}\n`;

/**
 * Tells every few seconds how much its parent has read, until that is gone: restic says nothing while it verifies or dumps, and is
 * not abandoned as long as it works. https://docs.kernel.org/filesystems/proc.html#proc-pid-io-display-the-io-accounting-fields
 */
const tellReads = `sh -c '
while sleep 5 && [ -r "/proc/$PPID/io" ]; do
  read -r name bytes <"/proc/$PPID/io" && echo "{\\"message_type\\":\\"reads\\",\\"bytes_read\\":$bytes}"
done' 2>/dev/null &`;

/** `restic restore` of the snapshot that is the argument, and a look at all that was written. */
export const restoreFilesScript = `${openUnlocked}${tellReads}
exec restic restore --json ${retryLock} --target ${restoredFolder} --sparse --verify "$1"\n`;

/**
 * Runs a command, after which the script goes on; its exit code is `code`. The shell stays, as the first process of its container, which
 * no signal ends by itself: it hands a deletion's on, so that restic gives its lock back.
 */
function supervised(command: string): string {
  return `(${tellReads}
exec ${command}) &
child=$!
trap 'kill "$child"' TERM INT
code=0
wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
`;
}

/**
 * Writes a file of a snapshot to a block volume. Naming the device has `sync` tell what of it could not be written: of errors that came
 * after the file was closed it tells nobody otherwise. https://man7.org/linux/man-pages/man2/fsync.2.html
 */
export const restoreDeviceScript = `${openUnlocked}
${supervised(`restic dump ${retryLock} "$1" "$2" >${devicePath}`)}
[ "$code" = 0 ] || exit "$code"
exec sync ${devicePath}
`;

/**
 * So long it waits for others' locks, such as those of another control plane's movers, three times: a deletion keeps the control plane's
 * other jobs waiting.
 */
const retryForget = "--retry-lock 10m";

/**
 * Opens the repository, and ends where there is none and its presence is optional. Locks of movers that died are removed before
 * what follows, which are those without a sign of life for 30 minutes. What follows has the other arguments.
 */
const begin = `${open}
[ "$code" != 10 ] || [ "$1" != optional ] || exit 0
${orFail}
restic unlock || exit $?
shift
`;

/** Forgets the snapshots that the arguments after the presence select; none is no error. */
export const forgetScript = `${begin}exec restic forget --json ${retryForget} --unsafe-allow-remove-all "$@"
`;

/** So many copies of damaged data are named, at most. */
const namedDamages = 50;

/**
 * `restic check` with the arguments after the presence. Where it finds damaged packs, whose copies they are of: a line for each, by the tags of its
 * snapshot. https://restic.readthedocs.io/en/v0.18.1/077_troubleshooting.html
 */
export const checkScript = `${begin}
errors=$TMPDIR/errors found=$TMPDIR/found
${supervised(`restic check --json ${retryLock} "$@" 2>"$errors"`)}
status=$code
packs=$(grep -o 'pack [0-9a-f]\\{64\\}' "$errors" | cut -c 6- | sort -u | head -n ${namedDamages})
if [ "$status" = 1 ] && [ -n "$packs" ]; then
  ${supervised(`restic find --json --no-lock --pack $packs >"$found" 2>/dev/null`)}
  ids=$(grep -o '"snapshot":"[0-9a-f]*"' "$found" | cut -d '"' -f 4 | sort -u | head -n ${namedDamages})
  [ -z "$ids" ] || restic snapshots --json --no-lock $ids 2>/dev/null |
    grep -o '"drs-backup:[^"]*","drs-claim:[^"]*"' | sort -u |
    sed 's|"drs-backup:\\(.*\\)","drs-claim:\\(.*\\)"|{"message_type":"damaged","backup":"\\1","claim":"\\2"}|'
fi
tail -n 10 "$errors" >&2
exit "$status"
`;

/** `restic prune` with the arguments after the presence. */
export const pruneScript = `${begin}
${supervised(`restic prune ${retryLock} "$@"`)}
exit "$code"
`;

/** So much of each copy is read to try it, in bytes. */
export const sampleBytes = 16 * 1024 * 1024;

/**
 * Looks at copies, whose snapshot and path are given one after the other: whether all folders and the place of all data are known, whether
 * all packs with its data are listed, and whether its first data can be read. Damage elsewhere in the repository is not theirs. Says at its end what is wrong with
 * each; fails when it could not look. It leaves no locks, however it ends.
 */
export const lookScript = `${open}${orFail}
cd /tmp || exit 1
restic list packs --no-lock >packs || exit $?
restic list index --no-lock >indexes || exit $?
sort packs >listed
looked=0
while read -r index; do
  restic cat index "$index" --no-lock
  looked=$((looked + 1))
  echo "{\\"message_type\\":\\"reads\\",\\"bytes_read\\":$looked}" >&2
done <indexes |
  grep -o '"id":"[0-9a-f]*","blobs"' | cut -d '"' -f 4 | sort -u | comm -13 listed - >missing
: >faults
fault() { printf '{"message_type":"fault","snapshot":"%s","message":"%s"}\\n' "$1" "$(grep . | tail -n 1 | tr -d '"\\\\\\t' | cut -c 1-500)" >>faults; }
checked=0
while [ $# -gt 0 ]; do
  if ! restic stats --no-lock --mode raw-data "$1" >/dev/null 2>error; then fault "$1" <error
  elif [ -s missing ] && xargs -n 500 restic find --no-lock --json --snapshot "$1" --pack <missing 2>/dev/null | grep -q object_type; then
    echo "packs of its data are missing in the repository" | fault "$1"
  else
    echo 1 >code
    read=$({ restic dump --no-lock "$1" "$2" 2>error; echo $? >code; } | head -c ${sampleBytes} | wc -c)
    [ "$read" -ge ${sampleBytes} ] || [ "$(cat code)" = 0 ] || fault "$1" <error
  fi
  checked=$((checked + 1))
  shift 2
  echo "{\\"message_type\\":\\"reads\\",\\"bytes_read\\":$checked}"
done
cat faults
echo "{\\"message_type\\":\\"checked\\",\\"faults\\":$(grep -c . faults)}"
`;
