import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readConfig } from "../../../server/settings/config.ts";

let written = "";

beforeEach(() => {
  written = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const on = ["--copies=on", "--copies-repository=s3:https://objects.example/drs", "--copies-secret=repository"];

test("volumes are not copied unless somebody says so", () => {
  expect(readConfig([]).engine).not.toHaveProperty("copies");
});

test("copies are made as their settings say", () => {
  expect(readConfig(on).engine.copies).toEqual({
    repository: "s3:https://objects.example/drs",
    secret: "repository",
    image: "docker.io/restic/restic:0.18.1",
    concurrency: 2,
    resources: {},
    nodeSelector: {},
    tolerations: [],
    readsLive: false,
    upkeep: { everyMs: 24 * 3_600_000, parts: 30 },
  });
  const more = [
    "--copies-resources=cpu=1,memory=1Gi",
    "--copies-node-selector=kubernetes.io/arch=amd64",
    "--copies-tolerations=dedicated=backup:NoSchedule,spot",
    "--copies-storage-class=clones",
    "--copies-upload-limit=1000",
    "--copy-live=on",
    "--copies-upkeep=1h",
    "--copies-check-parts=0",
  ];
  expect(readConfig([...on, ...more]).engine.copies).toMatchObject({
    resources: { cpu: "1", memory: "1Gi" },
    nodeSelector: { "kubernetes.io/arch": "amd64" },
    tolerations: [
      { key: "dedicated", operator: "Equal", value: "backup", effect: "NoSchedule" },
      { key: "spot", operator: "Exists" },
    ],
    storageClass: "clones",
    uploadLimit: 1_000,
    readsLive: true,
    upkeep: { everyMs: 3_600_000, parts: 0 },
  });
  expect(readConfig([...on, "--copies-upkeep=off"]).engine.copies).not.toHaveProperty("upkeep");
});

test.each([
  [["--copies=on"], "--copies on needs --copies-repository"],
  [on.slice(0, 2), "--copies on needs --copies-secret, with the credentials of s3:https://objects.example/drs"],
  [["--copies=on", "--copies-repository=claim:Copies"], "Name a claim of the movers' namespace"],
  [on.slice(1), "--copies-repository and --copies-secret need --copies on"],
  [["--copy-live=on"], "--copy-live on needs --copies on"],
  [[...on, "--encryption-keys=off"], "--copies on needs encryption keys"],
  [[...on, "--copies-resources=1Gi"], '"1Gi" is not <name>=<value>'],
  [[...on, "--copies-tolerations=a:Never"], '"a:Never" is not <key>, <key>=<value>'],
  [[...on, "--copies-check-parts=257"], "256 at most"],
  [["--copies-repository=rest:https://user:pw@host/"], "Put credentials into the Secret"],
])("settings of copies that do not fit are refused: %j", (args, message) => {
  expect(() => readConfig(args)).toThrow(expect.objectContaining({ exitCode: 1 }));
  expect(written).toContain(message);
});
