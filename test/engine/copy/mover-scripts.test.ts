import { execFile, spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import {
  backupFilesScript,
  checkScript,
  forgetScript,
  prepareScript,
  presence,
  pruneScript,
  restoreDeviceScript,
  restoreFilesScript,
} from "../../../engine/copy/movers/mover-scripts.ts";
import { damageIn } from "../../../engine/copy/upkeep/damage.ts";
import { bytesReadIn } from "../../../engine/copy/movers/restic-output.ts";
import { defaultMoverTimes } from "../../../engine/copy/movers/run-mover.ts";
import { temporaryFolder } from "../store/temporary-store.ts";

/** A restic that notes its calls, and opens the repository with one password only; without one it has no repository. */
const fake = `#!/bin/sh
echo "$* with $(cat "$RESTIC_PASSWORD_FILE")" >>"$CALLS"
case $1 in
  restore|dump) until [ "$(sort -u "$CALLS.told" | grep -c bytes_read)" -ge 2 ]; do :; done ;;
esac
case "$1 $2" in "cat config"|"unlock --json") ;; *) exit 0 ;; esac
[ -n "$OPENS" ] || { echo '{"code":10}' >&2; exit 10; }
[ "$(cat "$RESTIC_PASSWORD_FILE")" = "$OPENS" ] || { echo '{"code":12}' >&2; exit 12; }
`;

async function run(script: string, { opens = "", args = [] as readonly string[], restic = fake } = {}) {
  const folder = temporaryFolder();
  const bin = join(folder, "bin");
  const keys = join(folder, "keys");
  for (const one of [bin, keys]) mkdirSync(one);
  writeFileSync(join(bin, "restic"), restic);
  chmodSync(join(bin, "restic"), 0o755);
  writeFileSync(join(keys, "00"), "new");
  writeFileSync(join(keys, "01"), "old");
  const calls = join(folder, "calls");
  writeFileSync(calls, "");
  const here = script
    .replaceAll("/drs/keys", keys)
    .replaceAll("/dev/drs-volume", join(folder, "device"))
    .replaceAll("sleep 5", "sleep 0.1");
  const env = { PATH: `${bin}:/usr/bin:/bin`, CALLS: calls, OPENS: opens, TMPDIR: folder };
  const { code, stderr } = await promisify(execFile)("sh", ["-c", `exec >"$CALLS.told"\n${here}`, "mover", ...args], {
    env,
  }).then(
    (done) => ({ code: 0, stderr: done.stderr }),
    (error: { code: number; stderr: string }) => error,
  );
  const seen = readFileSync(calls, "utf8").trim().split("\n");
  const told = readFileSync(`${calls}.told`, "utf8").trim().split("\n");
  return { code, stderr, told, seen: seen.map((line) => line.replaceAll(keys, "KEYS")) };
}

test("a repository is made with the current password where there is none", async () => {
  const { code, seen } = await run(prepareScript, { args: [presence(false)] });
  expect(code).toBe(0);
  expect(seen.at(-1)).toBe("init --json with new");
});

test("a new key is added to a repository that only an older one opens", async () => {
  const { code, seen } = await run(prepareScript, { opens: "old", args: [presence(false)] });
  expect(code).toBe(0);
  expect(seen.at(-1)).toBe("key add --new-password-file KEYS/00 with old");
});

test("a repository that the current key opens is left as it is", async () => {
  const { code, seen } = await run(prepareScript, { opens: "new", args: [presence(true)] });
  expect([code, seen]).toEqual([0, ["cat config --no-lock --json with new"]]);
});

test("a mover ends with restic's own exit code and words when no key opens the repository", async () => {
  const { code, stderr, seen } = await run(backupFilesScript, { opens: "another's" });
  expect([code, stderr]).toEqual([12, '{"code":12}\n'.repeat(2)]);
  expect(seen).toHaveLength(2);
});

test("a mover removes locks of dead ones before it works, also where it may not delete them", async () => {
  const { seen } = await run(backupFilesScript, { opens: "new", args: ["/volumes/cdp/a"] });
  expect(seen.map((line) => line.split(" ")[0])).toEqual(["unlock", "backup"]);
  const refused = `#!/bin/sh
echo "$1 with it" >>"$CALLS"
[ "$1" != unlock ] || exit 1
`;
  const { code, seen: all } = await run(backupFilesScript, { restic: refused });
  expect([code, all]).toEqual([0, ["unlock with it", "backup with it"]]);
});

test("a mover hands its arguments to restic as they are", async () => {
  const { seen } = await run(backupFilesScript, { opens: "old", args: ["--", "/volumes/cdp/a b; exit"] });
  expect(seen.at(-1)).toBe("backup --json --retry-lock 20m -- /volumes/cdp/a b; exit with old");
});

test.each([
  ["verifies files", restoreFilesScript],
  ["dumps a device", restoreDeviceScript],
])("a mover that %s tells how much it has read, as restic says nothing meanwhile", async (_, script) => {
  const { code, told } = await run(script, { opens: "new", args: ["0a1b", "/volumes/cdp/a"] });
  expect(code).toBe(0);
  const [first = 0, second = 0] = told.map((line) => bytesReadIn([line]));
  expect(second).toBeGreaterThan(first);
});

test("a mover that writes a device hands the signal that ends it on to restic, which gives its lock back", async () => {
  const folder = temporaryFolder();
  const bin = join(folder, "bin");
  for (const one of [bin, join(folder, "keys")]) mkdirSync(one);
  writeFileSync(join(folder, "keys", "00"), "key");
  const calls = join(folder, "calls");
  const patient = `#!/bin/sh
[ "$1" = dump ] || exit 0
trap 'echo unlocked >>"${calls}"; exit 130' TERM
echo locked >>"${calls}"
while :; do sleep 0.1; done
`;
  writeFileSync(join(bin, "restic"), patient);
  chmodSync(join(bin, "restic"), 0o755);
  const script = restoreDeviceScript
    .replaceAll("/drs/keys", join(folder, "keys"))
    .replaceAll("/dev/drs-volume", join(folder, "device"));
  const mover = spawn("sh", ["-c", script, "mover", "0a1b", "/volumes/cdp/a"], {
    env: { PATH: `${bin}:/usr/bin:/bin` },
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => mover.once("exit", resolve));
  await vi.waitFor(() => expect(readFileSync(calls, "utf8")).toBe("locked\n"));
  mover.kill("SIGTERM");
  expect(await ended).toBe(130);
  expect(readFileSync(calls, "utf8")).toBe("locked\nunlocked\n");
});

test("a deletion waits for others' locks, three times as long as a mover at most", async () => {
  const { seen } = await run(forgetScript, { opens: "new", args: [presence(true), "--tag", "drs-backup:1"] });
  expect(seen.at(-1)).toBe("forget --json --retry-lock 10m --unsafe-allow-remove-all --tag drs-backup:1 with new");
});

/** A restic whose repository has a damaged pack, with what restic 0.18.1 says of one. */
const damaged = `#!/bin/sh
pack=${"0a".repeat(32)}
case $1 in
  check)
    echo '{"message_type":"summary","num_errors":1,"broken_packs":null}'
    echo '{"message_type":"error","message":"pack '$pack': does not exist"}' >&2
    echo '{"message_type":"exit_error","code":1,"message":"Fatal: repository contains errors"}' >&2
    exit 1 ;;
  find) [ "$5" = $pack ] && echo '[{"object_type":"blob","path":"/a","snapshot":"1f"},{"object_type":"blob","snapshot":"1f"}]' ;;
  snapshots) [ "$4" = 1f ] && echo '[{"paths":["/volumes/cdp/a"],"tags":["drs-backup:8d71","drs-claim:cdp/a"],"id":"1f"}]' ;;
esac
`;

test("a check that finds a damaged pack says whose copies it is of, and ends with restic's exit code", async () => {
  const { code, told, stderr } = await run(checkScript, { restic: damaged, args: [presence(true)] });
  expect(code).toBe(1);
  expect(damageIn([...told, ...stderr.split("\n")])).toEqual({
    text: `pack ${"0a".repeat(32)}: does not exist`,
    copies: [{ backupUuid: "8d71", namespace: "cdp", claim: "a" }],
  });
});

test("locks of dead movers are removed before a repository is checked or pruned", async () => {
  const { seen: checked } = await run(checkScript, { opens: "new", args: [presence(true), "--read-data-subset=1/30"] });
  expect(checked.slice(1)).toEqual([
    "unlock with new",
    "check --json --retry-lock 20m --read-data-subset=1/30 with new",
  ]);
  const { seen: pruned } = await run(pruneScript, { opens: "new", args: [presence(true)] });
  expect(pruned.slice(1)).toEqual(["unlock with new", "prune --retry-lock 20m with new"]);
});

test.each([
  ["check", checkScript],
  ["prune", pruneScript],
  ["forget", forgetScript],
])("there is nothing to %s where there is no repository, unless copies are recorded in it", async (_, script) => {
  const { code, seen } = await run(script, { args: [presence(false)] });
  expect([code, seen]).toEqual([0, ["cat config --no-lock --json with new"]]);
  const { code: missing, seen: looked } = await run(script, { args: [presence(true)] });
  expect([missing, looked]).toEqual([10, ["cat config --no-lock --json with new"]]);
});

test("a repository that has copies and is gone is not made anew", async () => {
  const { code, seen } = await run(prepareScript, { args: [presence(true)] });
  expect([code, seen]).toEqual([10, ["cat config --no-lock --json with new"]]);
});

test("a mover that waits for a lock says so before it counts as one without progress", () => {
  const [, minutes] = /--retry-lock (\d+)m/.exec(backupFilesScript) ?? [];
  expect(Number(minutes) * 60_000).toBeLessThan(defaultMoverTimes.stallMs);
});
