import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ServerConfig, readConfig } from "../../../server/settings/config.ts";
import { defaultLimits } from "../../../server/limits/options.ts";
import { certificateFile, keyFile } from "../../support/test-server.ts";

let written = "";

beforeEach(() => {
  written = "";
  for (const name of Object.keys(process.env)) if (name.startsWith("DRS_")) vi.stubEnv(name, undefined);
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => {
      written += String(text);
      return true;
    });
  }
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** What is written when the settings are refused, and the exit code. */
function refusal(args: readonly string[]): { written: string; exitCode: unknown } {
  let config: ServerConfig | undefined;
  try {
    config = readConfig(args);
  } catch (error) {
    return { written, exitCode: (error as { exitCode?: unknown }).exitCode };
  }
  throw new Error(`accepted: ${JSON.stringify(config)}`);
}

const encryption = (...args: string[]) => readConfig(args).engine.encryption;

test("without settings it serves this machine only and keeps everything in .drs", () => {
  expect(readConfig([])).toMatchObject({
    listen: { host: "127.0.0.1", port: 8080 },
    tls: undefined,
    maxBodyBytes: 1_048_576,
    limits: defaultLimits,
    audit: undefined,
    simulated: false,
    engine: {
      databasePath: ".drs/drs.db",
      storage: { kind: "folder", path: ".drs/archives" },
      cluster: {},
      controlPlane: {
        namespace: "cdp",
        vaultNamespace: "vault-system",
        furtherNamespaces: [],
        furtherObjects: [],
        databaseStatefulSet: "cdp-embedded-db",
      },
      restore: { rollBack: true, statusOf: [], maxRefusedObjects: 5 },
      limits: { hookTimeout: 30_000, appsStartTimeout: 600_000, clusterConcurrency: 32, queuedJobs: 100 },
    },
  });
});

test("a flag wins over the environment, which wins over the default", () => {
  vi.stubEnv("DRS_LISTEN", "[::1]:9090");
  vi.stubEnv("DRS_APPS_START_TIMEOUT", "1h");
  vi.stubEnv("DRS_NAMESPACE", "from-environment");
  const config = readConfig(["--namespace", "from-flag"]);
  expect(config.listen).toEqual({ host: "::1", port: 9090 });
  expect(config.engine.limits.appsStartTimeout).toBe(3_600_000);
  expect(config.engine.controlPlane.namespace).toBe("from-flag");
});

test("the limits of the load are taken from their flags", () => {
  const values = {
    connections: ["--max-connections", "10", 10],
    requestsPerSecond: ["--max-requests-per-second", "30", 30],
    requestTimeout: ["--request-timeout", "1m", 60_000],
  } as const;
  const config = readConfig([
    "--max-queued-jobs=70",
    ...Object.values(values).map(([flag, text]) => `${flag}=${text}`),
  ]);
  const taken = Object.fromEntries(Object.entries(values).map(([name, [, , value]]) => [name, value]));
  expect(config.limits).toEqual({ ...defaultLimits, ...taken });
  expect(config.engine.limits.queuedJobs).toBe(70);
});

test("further namespaces are a list of names", () => {
  const { engine } = readConfig(["--further-namespaces", "cdp-monitoring, cdp-logs"]);
  expect(engine.controlPlane.furtherNamespaces).toEqual(["cdp-monitoring", "cdp-logs"]);
  expect(refusal(["--further-namespaces", "CDP"]).written).toContain("small letters");
});

test("further objects are named by their kind, and by name or label", () => {
  const { engine } = readConfig([
    "--further-objects",
    "csidrivers.storage.k8s.io, issuers.example.com/a:b,issuers.example.com?tier,*?app.kubernetes.io/part-of=cdp",
  ]);
  expect(engine.controlPlane.furtherObjects).toEqual([
    { resource: "csidrivers.storage.k8s.io" },
    { resource: "issuers.example.com", name: "a:b" },
    { resource: "issuers.example.com", label: "tier" },
    { resource: "*", label: "app.kubernetes.io/part-of=cdp" },
  ]);
});

test.each([
  "*",
  "*/a",
  "Issuers",
  "issuers.example.com/",
  "issuers.example.com?",
  "issuers/a?b=c",
  "a?b==c",
  "a?b=c d",
])("further objects cannot be written %s", (text) => {
  expect(refusal(["--further-objects", text]).written).toContain(`"${text}" is not <kinds>, <kinds>/<name>`);
});

test("the key is made beside the database, unless a file is named: then what is not encrypted is refused", () => {
  expect(encryption("--data=/d")).toMatchObject({
    keyFile: "/d/encryption-keys",
    makeKey: true,
    readsUnencrypted: true,
  });
  expect(encryption("--encryption-keys=/k")).toMatchObject({ keyFile: "/k", makeKey: false, readsUnencrypted: false });
  expect(encryption("--encryption-keys=/k", "--unencrypted-archives=read")).toMatchObject({ readsUnencrypted: true });
  expect(encryption("--unencrypted-archives=refuse")).toMatchObject({ makeKey: true, readsUnencrypted: false });
  expect(encryption("--encryption-keys=off")).toBeUndefined();
  expect(refusal(["--unencrypted-archives", "on"]).written).toContain("Allowed choices are read, refuse");
});

test("a bucket takes its details from the s3 settings", () => {
  const s3 = ["--s3-endpoint", "http://127.0.0.1:9000", "--s3-region", "eu-1", "--s3-addressing", "path"];
  expect(readConfig(["--storage", "s3://drs/a/b/", ...s3]).engine.storage).toEqual({
    kind: "s3",
    bucket: "drs",
    prefix: "a/b",
    endpoint: "http://127.0.0.1:9000",
    region: "eu-1",
    forcePathStyle: true,
  });
  expect(readConfig(["--storage", "file:///data/my%20archives"]).engine.storage).toEqual({
    kind: "folder",
    path: "/data/my archives",
  });
});

test("TLS needs its certificate and key", () => {
  expect(refusal(["--tls-listen", "127.0.0.1:8443"]).written).toContain("--tls-listen needs --tls-cert and --tls-key");
  const config = readConfig([
    "--listen",
    "off",
    "--tls-listen",
    "127.0.0.1:8443",
    "--tls-cert",
    certificateFile,
    "--tls-key",
    keyFile,
  ]);
  expect(config.listen).toBeUndefined();
  expect(config.tls).toEqual({ address: { host: "127.0.0.1", port: 8443 }, certificateFile, keyFile });
});

describe("settings that contradict each other, or do nothing, are refused:", () => {
  test.each([
    [["--encryption-keys=off", "--unencrypted-archives=refuse"], "--encryption-keys off leaves nothing to restore"],
    [[`--tls-cert=${certificateFile}`], "--tls-cert and --tls-key need --tls-listen"],
    [[`--tls-key=${keyFile}`], "--tls-cert and --tls-key need --tls-listen"],
    [["--s3-endpoint=http://127.0.0.1:9000"], "need --storage s3://"],
    [["--s3-region=eu-1", "--storage=file:///archives"], "need --storage s3://"],
    [["--s3-addressing=path"], "need --storage s3://"],
    [["--cluster=simulated", `--kubeconfig=${keyFile}`], "another cluster than --cluster simulated"],
    [["--cluster=simulated", "--kube-context=production"], "another cluster than --cluster simulated"],
  ])("%s", (args, message) => {
    const { written, exitCode } = refusal(args);
    expect(written).toContain(message);
    expect(exitCode).toBe(1);
  });
});

describe("addresses that others can reach", () => {
  const tls = ["--tls-cert", certificateFile, "--tls-key", keyFile];
  const openings = [
    ["--listen", "0.0.0.0:8080"],
    ["--listen", ":8080"],
    ["--listen", "192.0.2.1:8080"],
    ["--listen", "[::]:8080"],
    ["--listen", "127.example.com:8080"],
    ["--tls-listen", ":8443", ...tls],
    ["--listen", "off", "--tls-listen", "0.0.0.0:8443", ...tls],
  ];

  test.each(openings)("are refused while nothing says who may call: %s %s", (...args) => {
    const { written, exitCode } = refusal(args);
    expect(written).toMatch(/is reachable from other machines.*: set --client-ca.*, or listen on 127/);
    const typed = args.find((word) => word.includes(":"))?.replace("[::]", "");
    expect(written).toContain(`error: DRS-C016 ${typed} is reachable`);
    expect(exitCode).toBe(1);
  });

  test.each(openings)("are taken with access keys: %s %s", (...args) => {
    expect(() => readConfig([...args, "--access-keys", certificateFile])).not.toThrow();
  });

  test.each(["127.0.0.1:80", "127.1.2.3:80", "localhost:80", "[::1]:80"])(
    "are not those of this machine: %s",
    (own) => {
      expect(() => readConfig(["--listen", own])).not.toThrow();
    },
  );

  test("are taken with an authority of client certificates, which needs TLS", () => {
    vi.stubEnv("DRS_CLIENT_CA", certificateFile);
    const config = readConfig(["--listen", ":8080", "--tls-listen", ":8443", ...tls]);
    expect(config.tls?.clientCaFile).toBe(certificateFile);
    expect(config.callers.clientCertificates).toBe(true);
    expect(refusal([]).written).toContain("--client-ca needs --tls-listen");
  });
});

test("a path prefix has a slash in front and none behind", () => {
  const keys = ["--access-keys", certificateFile];
  const config = readConfig(["--path-prefix", "/a/drs/", "--signature-window", "90s", ...keys]);
  expect(config.pathPrefix).toBe("/a/drs");
  expect(config.callers.signatures).toEqual({ accessKeysFile: certificateFile, window: 90_000, pathPrefix: "/a/drs" });
  expect(refusal(["--path-prefix", "drs"]).written).toContain("for example /drs");
});

test("bearer tokens need to know whose they are and whom they are for, and rights need callers who are known", () => {
  const oidc = ["--oidc-issuer=https://issuer.example", "--oidc-audiences=drs"];
  expect(readConfig(["--listen=:8080", ...oidc, "--rights=kubernetes"]).callers).toMatchObject({
    tokens: { oidc: { issuer: "https://issuer.example", audiences: ["drs"], nameClaim: "sub", prefix: "oidc:" } },
    rights: "kubernetes",
  });
  expect(readConfig(["--listen=:8080", "--token-review-audiences=drs, other", "--rights=all"]).callers).toMatchObject({
    tokens: { reviewAudiences: ["drs", "other"] },
    rights: "all",
  });
  for (const tokens of [oidc, ["--token-review-audiences=drs"]])
    expect(refusal(tokens).written).toContain("set --rights to a file, to kubernetes, or to all");
  expect(refusal(oidc.slice(0, 1)).written).toContain("--oidc-issuer needs --oidc-audiences");
  expect(refusal(oidc.slice(1)).written).toContain("need --oidc-issuer");
  expect(refusal(["--rights=kubernetes"]).written).toContain(
    "set --client-ca, --access-keys, --token-review-audiences",
  );
});

describe("refuses, naming the setting,", () => {
  test.each([
    ["--listen", "8080"],
    ["--listen", "localhost:99999"],
    ["--hook-timeout", "60"],
    ["--hook-timeout", "0s"],
    ["--hook-timeout", "600h"],
    ["--max-body-bytes", "-1"],
    ["--max-connections", "0"],
    ["--request-timeout", "30"],
    ["--storage", "ftp://somewhere"],
    ["--storage", "archives"],
    ["--cluster", "other"],
    ["--namespace", "Not_A_Name"],
    ["--crn-account", "a:b"],
    ["--tls-cert", "/no/such/file"],
    ["--log-level", "loud"],
    ["--token-review-audiences", ","],
    ["--oidc-issuer", "http://issuer.example"],
    ["--oidc-jwks-url", "issuer.example/keys"],
    ["--rights", "/no/such/file"],
    ["--reflection", "maybe"],
  ])("%s %s", (flag, value) => {
    const { written, exitCode } = refusal([flag, value]);
    expect(written).toContain(flag);
    expect(exitCode).toBe(1);
  });

  test("a value of the environment", () => {
    vi.stubEnv("DRS_SNAPSHOT_TIMEOUT", "soon");
    expect(refusal([]).written).toContain("DRS_SNAPSHOT_TIMEOUT");
  });

  test("a flag that does not exist, and a loose word", () => {
    expect(refusal(["--lisen", ":1"]).written).toContain("--lisen");
    expect(refusal(["serve"]).written).toContain("serve");
  });

  test("variables that set nothing, with the one that may be meant", () => {
    const meant = {
      DRS_LISEN: "DRS_LISTEN",
      DRS_NAMESPACES: "DRS_NAMESPACE",
      DRS_LOGLEVEL: "DRS_LOG_LEVEL",
      DRS_STORAGE_URL: "DRS_STORAGE",
      DRS_TLSCERT_FILE: "DRS_TLS_CERT",
      DRS_ENCRYPTION_KEY: "DRS_ENCRYPTION_KEYS",
    };
    for (const name of Object.keys(meant)) vi.stubEnv(name, "");
    const { written, exitCode } = refusal([]);
    for (const [name, other] of Object.entries(meant)) expect(written).toContain(`${name} (is ${other} meant?)`);
    expect(exitCode).toBe(1);
  });

  test("a variable that looks like one of Kubernetes' for a Service, where there is no such Service", () => {
    for (const name of ["DRS_SERVICE_HOST", "DRS_SERVICE_PORT", "DRS_PORT", "DRS_PORT_8080_TCP_ADDR"])
      vi.stubEnv(name, "x");
    vi.stubEnv("DRS_API_SERVICE_HOST", "10.0.0.1");
    vi.stubEnv("DRS_API_SERVICE_PORT_HTTP", "80");
    expect(() => readConfig([])).not.toThrow();
    vi.stubEnv("DRS_WEB_PORT", "80");
    expect(refusal([]).written).toMatch(/set nothing: DRS_WEB_PORT \(is \w+ meant\?\): correct/);
  });

  test("to listen nowhere", () => {
    expect(refusal(["--listen", "off"]).written).toContain("nowhere to listen");
  });
});

test("--help begins with a command that exists, and names every setting's variable, and --version the version", () => {
  const help = refusal(["--help"]);
  expect(help.exitCode).toBe(0);
  expect(help.written).toMatch(/^Usage: npm start -- \[options\]\n/);
  expect(help.written).toMatch(
    /DRS_LISTEN[^]*DRS_STORAGE[^]*DRS_KUBECONFIG[^]*DRS_CRN_ACCOUNT[^]*DRS_APPS_START_TIMEOUT/,
  );
  written = "";
  expect(refusal(["--version"])).toEqual({ written: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), exitCode: 0 });
});

test("storage classes are mapped by name, each to one", () => {
  const { engine } = readConfig(["--storage-class-map", "gp2=premium, gp2.slow=standard"]);
  expect(engine.restore.storageClassMap).toEqual({ gp2: "premium", "gp2.slow": "standard" });
  for (const text of ["gp2", "gp2=", "=premium", "gp2=a=b", "GP2=premium"])
    expect(refusal(["--storage-class-map", text]).written).toContain(`"${text}" is not <saved class>=<existing class>`);
  expect(refusal(["--storage-class-map", "gp2=a,gp2=b"]).written).toContain('"gp2" is mapped twice');
});
