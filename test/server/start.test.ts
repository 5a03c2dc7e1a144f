import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../engine/store/temporary-store.ts";
import { startArguments } from "../support/start-arguments.ts";

const root = join(import.meta.dirname, "../..");

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly cleartext?: { readonly port: number };
  readonly keyFile?: string;
}

interface AuditLine {
  readonly event?: string;
  readonly method?: string;
}

/** `npm start` with a simulated cluster, under a umask that hides nothing. */
function start(
  data: string,
  ...flags: readonly string[]
): { process: ChildProcess; lines: LogLine[]; errors: string[] } {
  const own = ["--cluster=simulated", `--data=${data}`, "--listen=127.0.0.1:0", ...flags];
  const command = ["-c", 'umask 000; exec "$@"', "sh", process.execPath, ...startArguments, ...own];
  const started = spawn("sh", command, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(async () => {
    if (started.exitCode === null && started.kill()) await once(started, "exit");
  });
  const lines: LogLine[] = [];
  createInterface(started.stdout).on("line", (line) => lines.push(JSON.parse(line) as LogLine));
  const errors: string[] = [];
  createInterface(started.stderr).on("line", (line) => errors.push(line));
  return { process: started, lines, errors };
}

/** Starts the service and gives its API and its log when it listens. */
async function listening(data: string, ...flags: readonly string[]) {
  const { lines, errors } = start(data, ...flags);
  const port = await vi.waitFor(
    () => {
      const found = lines.find(({ msg }) => msg === "listening")?.cleartext?.port;
      if (found === undefined) throw new Error(`it does not listen: ${errors.join("\n")}`);
      return found;
    },
    { timeout: 20_000 },
  );
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into every answer
  const call = async (method: string, body: object): Promise<any> => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/drscp/${method}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return answer.json();
  };
  return { call, lines };
}

test("whatever the umask, what the service makes is its user's alone, and a backup is encrypted with a key it has made", async () => {
  const data = join(temporaryFolder(), "data");
  const { call, lines } = await listening(data);
  const { backupCrn } = await call("createBackup", { backupName: "first" });
  await vi.waitFor(
    async () => {
      const { backup } = await call("describeBackup", { backupCrn });
      expect(backup.backupJobState).toBe("COMPLETED");
    },
    { timeout: 30_000, interval: 50 },
  );
  const modes = new Map<string, string>();
  for (const entry of [data, ...(await readdir(data, { recursive: true })).map((name) => join(data, name))]) {
    const found = await stat(entry);
    modes.set(
      entry.slice(data.length + 1),
      `${found.isDirectory() ? "folder" : "file"} ${(found.mode & 0o777).toString(8)}`,
    );
  }
  const names = [...modes.keys()].join("\n");
  for (const name of [
    "drs.db",
    "drs.db-wal",
    "encryption-keys",
    "manifest.json",
    "secrets.ndjson.zst.enc",
    ".unfinished",
  ])
    expect(names).toContain(name);
  expect([...modes].filter(([, mode]) => mode !== "file 600" && mode !== "folder 700")).toEqual([]);
  expect(lines).toContainEqual(
    expect.objectContaining({
      level: 40,
      keyFile: join(data, "encryption-keys"),
      msg: expect.stringContaining("keep a copy of this file elsewhere, without it they are lost"),
    }),
  );
});

test("calls are audited to standard output, among the log's lines, as deploy/kubernetes.yaml has it", async () => {
  const { call, lines } = await listening(join(temporaryFolder(), "data"), "--audit=-");
  const { backupCrn } = await call("createBackup", { backupName: "audited" });
  const ofCall = () => (lines as unknown as AuditLine[]).filter(({ method }) => method === "createBackup");
  const logged = () => lines.filter(({ msg }) => msg === "call");
  await vi.waitFor(() => expect([ofCall().length, logged().length]).toEqual([2, 1]), { timeout: 20_000 });
  expect(ofCall()).toMatchObject([{ event: "accepted" }, { event: "ended", createdCrn: backupCrn, result: "OK" }]);
});

test("a key file that is malformed, or missing, ends the start with its name; one that others can read is told", async () => {
  const data = temporaryFolder();
  const keys = join(data, "keys");
  const refusal = async (): Promise<string> => {
    const { process: refused, errors } = start(data, `--encryption-keys=${keys}`);
    expect(await once(refused, "close")).toEqual([1, null]);
    return errors.join("\n");
  };
  expect(await refusal()).toBe(`error: encryption keys ${keys}: the file cannot be read (ENOENT)`);
  await writeFile(keys, "first c2hvcnQ=\n");
  expect(await refusal()).toBe(
    `error: encryption keys ${keys}, line 1: the key has 5 bytes, not 32: make one with openssl rand -base64 32`,
  );
  await writeFile(keys, `first ${Buffer.alloc(32, "k").toString("base64")}\n`);
  await chmod(keys, 0o644);
  const { lines } = await listening(data, `--encryption-keys=${keys}`);
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 40, keyFile: keys, msg: expect.stringContaining("give the file mode 600") }),
  );
  expect(await readFile(keys, "utf8")).toContain("first");
  expect(await readdir(data)).not.toContain("encryption-keys");
});
