import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../cluster/support/eventually.ts";
import { certificateFile, keyFile } from "../support/test-server.ts";
import { type Answer, verdictOf } from "./answers.ts";
import { FuzzCallers, isRight, type Proof, proofs } from "./callers.ts";
import { batch, runCampaign, seed } from "./campaign.ts";
import { fuzzBytes, type FuzzRequest, fuzzRequest } from "./requests.ts";
import { FuzzedService } from "./service.ts";

const count = Number(process.env["FUZZ_REQUESTS"] ?? 12_000);

let callers: FuzzCallers;
let service: FuzzedService;
let crns: readonly string[];

beforeAll(async () => {
  process.stdout.write(`fuzzing ${count} requests of callers who are asked who they are: FUZZ_SEED=${seed}\n`);
  callers = await FuzzCallers.create();
  const tls = ["--tls-listen=127.0.0.1:0", `--tls-cert=${certificateFile}`, `--tls-key=${keyFile}`];
  service = await FuzzedService.start(["--log-level=info", ...tls, ...callers.flags]);
  crns = [await service.makeBackup(proven)];
});
afterAll(async () => {
  await service?.stop();
  await callers?.stop();
});

/** The headers of a call as JSON by who may do all. */
function proven(method: string): Readonly<Record<string, string>> {
  const headers = { "content-type": "application/json" };
  return callers.headers("ed25519v1", { method: "POST", path: `/api/v1/drscp/${method}`, headers });
}

interface Attempt {
  readonly request: FuzzRequest;
  readonly proof: Proof;
  readonly overTls: boolean;
}

test("whoever sends whatever: only who is known gets anything, only who may changes anything, and the audit log has it", async () => {
  const proof = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...proofs.right) },
    { weight: 2, arbitrary: fc.constantFrom(...proofs.wrong) },
  );
  const verdicts = { right: new Map<string, number>(), wrong: new Map<string, number>() };
  let successes = 0;
  await runCampaign<Attempt>({
    service,
    count,
    attempts: fc.record({ request: fuzzRequest(crns), proof, overTls: fc.boolean() }),
    async send({ request, proof, overTls }) {
      const sent = { ...request, headers: { ...request.headers, ...callers.headers(proof, request) } };
      return { request: sent, answer: await (overTls ? service.tls : service.cleartext).send(sent) };
    },
    judge({ proof }, request, answer) {
      const verdict = verdictOf(answer);
      const seen = verdicts[isRight(proof) ? "right" : "wrong"];
      seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
      if (isOpen(request)) return undefined;
      if (verdict === "succeeded" && isOfApi(request)) successes += 1;
      return misjudged(proof, request, answer);
    },
  });
  process.stdout.write(`proven rightly: ${shown(verdicts.right)}; wrongly: ${shown(verdicts.wrong)}\n`);

  const entries = await eventually("the audit log has every success", async () => {
    const lines = await callers.audited();
    for (const line of lines) expect(line).toMatch(/^\{"time":"[\x20-\x7e]+\}$/);
    const parsed = lines.map((line) => JSON.parse(line) as Readonly<Record<string, string>>);
    return parsed.filter(({ event, result }) => event === "ended" && result === "OK").length >= successes && parsed;
  });
  const changers = entries.filter(({ event }) => event === "accepted").map(({ caller }) => caller);
  expect(new Set(changers)).toEqual(new Set(["alice", "oidc:alice"]));
});

test("whatever bytes come, over TLS, in clear text or instead of TLS, the service hangs up or answers as HTTP does", async () => {
  const ways = [
    (bytes: Buffer) => service.cleartext.sendRaw(bytes),
    (bytes: Buffer) => service.tls.sendRaw(bytes),
    (bytes: Buffer) => service.tls.sendRaw(bytes, { overTls: false }),
  ];
  const message = fc.record({ bytes: fuzzBytes(crns), send: fc.constantFrom(...ways) });
  const property = fc.asyncProperty(fc.array(message, { minLength: batch, maxLength: batch }), async (messages) => {
    const answers = await Promise.all(messages.map(({ bytes, send }) => send(bytes)));
    for (const answer of answers) expect(answer.toString("latin1")).not.toMatch(/^HTTP\/1\.[01] 5(?!0[145])/);
  });
  await fc.assert(property, { seed, numRuns: 25, endOnFailure: true });
  expect(service.faults).toEqual([]);
  expect(await service.api("listBackups", { backupName: "fuzzed" }, proven("listBackups"))).toMatchObject({
    backups: [{}],
  });
});

function misjudged(proof: Proof, request: FuzzRequest, answer: Answer): string | undefined {
  const verdict = verdictOf(answer);
  if (isRight(proof)) {
    if (verdict === "caller not known") return `${proof} is not taken`;
    if (verdict === "succeeded" && proof.startsWith("reader's") && isChange(request))
      return `${proof} changes something`;
  } else if (verdict === "succeeded") return `${proof} is let in`;
  return undefined;
}

/** Everybody may ask. */
function isOpen({ path }: FuzzRequest): boolean {
  return path.startsWith("/grpc.health.");
}

function isOfApi({ path }: FuzzRequest): boolean {
  return path.startsWith("/api/") || path.startsWith("/drscp.");
}

function isChange({ path }: FuzzRequest): boolean {
  return /\/(create|restore|delete)Backup$/i.test(path.split("?", 1)[0] ?? "");
}

function shown(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([verdict, times]) => `${times} ${verdict}`).join(", ");
}
