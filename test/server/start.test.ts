import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test, vi } from "vitest";
import { renderLog } from "../../engine/jobs/job-log.ts";
import { openStore } from "../../engine/store/store.ts";
import { crnOf, newBackup, temporaryFolder } from "../engine/store/temporary-store.ts";
import { startArguments } from "../support/start-arguments.ts";
import { certificateFile, keyFile } from "../support/test-server.ts";

const root = join(import.meta.dirname, "../..");

interface LogLine {
  readonly level: number;
  readonly time: string;
  readonly msg: string;
  readonly cleartext?: { readonly port: number };
  readonly metrics?: { readonly port: number };
  readonly keyFile?: string;
}

interface Started {
  readonly process: ChildProcess;
  readonly lines: LogLine[];
  readonly errors: string[];
}

interface AuditLine {
  readonly event?: string;
  readonly method?: string;
}

/** `npm start` with a simulated cluster, under a umask that hides nothing. */
function start(data: string, ...flags: readonly string[]): Started {
  return startOn({}, "--cluster=simulated", `--data=${data}`, "--listen=127.0.0.1:0", ...flags);
}

/** `npm start` with these settings and, in its environment, these variables. */
function startOn(env: NodeJS.ProcessEnv, ...flags: readonly string[]): Started {
  const command = ["-c", 'umask 000; exec "$@"', "sh", process.execPath, ...startArguments, ...flags];
  const started = spawn("sh", command, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  onTestFinished(async () => {
    if (started.exitCode === null && started.kill()) await once(started, "exit");
  });
  const lines: LogLine[] = [];
  createInterface(started.stdout).on("line", (line) => lines.push(JSON.parse(line) as LogLine));
  const errors: string[] = [];
  createInterface(started.stderr).on("line", (line) => errors.push(line));
  return { process: started, lines, errors };
}

/** What a start that fails says at its end. */
async function refusalOf({ process: refused, errors }: Started): Promise<string> {
  expect(await once(refused, "close")).toEqual([1, null]);
  return errors.join("\n");
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

test("metrics are served where they are asked for, and report the backup that was made", async () => {
  const { call, lines } = await listening(temporaryFolder(), "--metrics-listen=127.0.0.1:0");
  const port = lines.find(({ msg }) => msg === "listening")?.metrics?.port;
  const scrape = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(await scrape()).toContain("process_resident_memory_bytes");
  await call("createBackup", { backupName: "watched" });
  const complete = 'drs_jobs{kind="backup",state="COMPLETED",item="cdp"} 1';
  await expect.poll(scrape, { timeout: 30_000 }).toContain(complete);
});

test("calls are audited to standard output, among the log's lines, as deploy/kubernetes.yaml has it", async () => {
  const { call, lines } = await listening(join(temporaryFolder(), "data"), "--audit=-");
  const { backupCrn } = await call("createBackup", { backupName: "audited" });
  const ofCall = () => (lines as unknown as AuditLine[]).filter(({ method }) => method === "createBackup");
  const logged = () => lines.filter(({ msg }) => msg === "call");
  await vi.waitFor(() => expect([ofCall().length, logged().length]).toEqual([2, 1]), { timeout: 20_000 });
  expect(ofCall()).toMatchObject([{ event: "accepted" }, { event: "ended", createdCrn: backupCrn, result: "OK" }]);
  expect(logged()).toMatchObject([{ outcome: "OK" }]);
});

test("the log has every line of a running job's own log as its text, and each of its lines has a time like the audit's", async () => {
  const { call, lines } = await listening(temporaryFolder(), "--audit=-");
  const { backupCrn } = await call("createBackup", { backupName: "logged" });
  const ended = expect.objectContaining({ crn: backupCrn, phase: "FINISHED", msg: "job ended COMPLETED" }) as unknown;
  await vi.waitFor(() => expect(lines).toContainEqual(ended), { timeout: 30_000 });
  const { logs } = await call("getLogs", { crn: backupCrn });
  const texts = (logs as string)
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ +/).slice(3).join(" "));
  const told = lines.filter((line) => "crn" in line && "phase" in line).map(({ msg }) => msg);
  expect(["backup accepted", ...told]).toEqual(texts);
  expect(
    lines.map(({ time }) => time).filter((time) => !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(time)),
  ).toEqual([]);
});

test("a key file that is malformed, or missing, ends the start with its name; one that others can read is reported", async () => {
  const data = temporaryFolder();
  const keys = join(data, "keys");
  const refusal = () => refusalOf(start(data, `--encryption-keys=${keys}`));
  expect(await refusal()).toBe(`error: DRS-S006 encryption keys ${keys}: the file cannot be read (ENOENT)`);
  await writeFile(keys, "first c2hvcnQ=\n");
  expect(await refusal()).toBe(
    `error: DRS-S006 encryption keys ${keys}, line 1: the key has 5 bytes, not 32: make one with openssl rand -base64 32`,
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

test("without a cluster the start ends with what to do, and nothing of a key is made or logged", async () => {
  const data = temporaryFolder();
  const started = startOn({ KUBECONFIG: "", HOME: data }, `--data=${data}`, "--listen=127.0.0.1:0");
  expect(await refusalOf(started)).toBe(
    "error: DRS-S003 no cluster was found: give --kubeconfig, set KUBECONFIG, or try --cluster simulated",
  );
  expect(started.lines).toEqual([]);
  expect(await readdir(data)).not.toContain("encryption-keys");
});

test("a folder that cannot be used ends the start with its name, the reason and the setting", async () => {
  const folder = temporaryFolder();
  const [file, data] = [join(folder, "file"), join(folder, "data")];
  await writeFile(file, "");
  const reason = "something that is not a folder is in its place, or above it";
  for (const path of [file, join(file, "below")]) {
    expect(await refusalOf(start(path))).toMatch(
      new RegExp(`^error: DRS-S001 folder ${path} cannot hold the database: ${reason} .*; correct that, .* --data$`),
    );
    expect(await refusalOf(start(data, `--storage=file://${path}`))).toMatch(
      new RegExp(`^error: DRS-S001 folder ${path} cannot hold archives: ${reason} .*; correct that, .* --storage$`),
    );
  }
  expect(await readdir(data)).not.toContain("encryption-keys");
});

test("the start says which version it is, which control plane it looks after, where backups go, and who may call", async () => {
  const data = temporaryFolder();
  const kubeconfig = join(data, "kubeconfig");
  await writeFile(kubeconfig, unreachableCluster);
  const settings = [`--kubeconfig=${kubeconfig}`, `--data=${data}`, "--further-namespaces=cdp-logs", "--listen=off"];
  const tls = ["--tls-listen=127.0.0.1:0", `--tls-cert=${certificateFile}`, `--tls-key=${keyFile}`];
  const { lines } = startOn({}, ...settings, ...tls, `--client-ca=${certificateFile}`, "--encryption-keys=off");
  await vi.waitFor(() => expect(lines.map(({ msg }) => msg)).toContain("listening"), { timeout: 20_000 });
  expect(lines).toContainEqual(
    expect.objectContaining({
      msg: "backs up and restores this control plane",
      cluster: "https://127.0.0.1:1",
      context: "away",
      namespaces: ["cdp", "vault-system", "cdp-logs"],
      storage: `folder ${join(data, "archives")}`,
      encryptionKey: "none: backups are not encrypted",
    }),
  );
  expect(lines).toContainEqual(
    expect.objectContaining({
      msg: "listening",
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      callers: ["client certificates (--client-ca)"],
      rights: "all, to each caller",
    }),
  );
});

test("what a start on the simulated cluster makes goes with it, also when it fails, and nobody is told to keep its key", async () => {
  const port = await takenPort();
  const started = startOn({}, "--cluster=simulated", `--listen=127.0.0.1:${port}`);
  expect(await refusalOf(started)).toContain("EADDRINUSE");
  const data = join(tmpdir(), `data-recovery-service-${started.process.pid}`);
  const made = expect.objectContaining({ keyFile: join(data, "encryption-keys") }) as unknown;
  expect(started.lines).toContainEqual(made);
  expect(started.lines.filter(({ level }) => level > 30)).toEqual([]);
  await expect(stat(data)).rejects.toThrow("ENOENT");
});

test("starts that fail of a taken port, or of a wrong certificate, do not count as deaths of a running job", async () => {
  const data = temporaryFolder();
  const file = join(data, "drs.db");
  const before = openStore(file);
  before.jobs.insert(newBackup(1));
  // Nine deaths so far, which are in a row: a job is abandoned at its eleventh.
  before.database
    .prepare<object>("UPDATE job SET state = 'IN_PROGRESS', phase = 'PRE_VALIDATION', recoveries = 9")
    .run({});
  before.database.close();
  const kubeconfig = join(data, "kubeconfig");
  await writeFile(kubeconfig, unreachableCluster);
  const port = await takenPort();
  const settings = [`--data=${data}`, `--kubeconfig=${kubeconfig}`];
  const tls = ["--tls-listen=127.0.0.1:0", `--tls-cert=${keyFile}`, `--tls-key=${keyFile}`];

  expect(await refusalOf(startOn({}, ...settings, "--listen=off", ...tls))).toBe(
    `error: ${keyFile} and ${keyFile} are not a certificate and its key, both PEM: no start line`,
  );
  for (let start = 1; start <= 3; start += 1)
    expect(await refusalOf(startOn({}, ...settings, `--listen=127.0.0.1:${port}`))).toContain("EADDRINUSE");

  const after = openStore(file);
  onTestFinished(() => after.database.close());
  expect(after.jobs.get(crnOf("backup", 1))).toMatchObject({ state: "IN_PROGRESS", recoveries: 10 });
  expect(renderLog(after.logs, 1).match(/continued after a restart/g)).toHaveLength(3);
}, 60_000);

/** A port that somebody else listens on. */
async function takenPort(): Promise<number> {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  onTestFinished(() => void other.close());
  return (other.address() as AddressInfo).port;
}

/** A cluster that does not answer: a job waits for it where it is. */
const unreachableCluster = JSON.stringify({
  "current-context": "away",
  contexts: [{ name: "away", context: { cluster: "away", user: "nobody" } }],
  clusters: [{ name: "away", cluster: { server: "https://127.0.0.1:1" } }],
  users: [{ name: "nobody", user: {} }],
});
