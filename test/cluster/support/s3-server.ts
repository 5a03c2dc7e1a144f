import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPrograms } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

/** A real S3 server (versitygw), a process of its own, with one empty bucket. Its buckets and objects are folders and files. */
export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  /** Where the bucket's objects lie. */
  readonly bucketFolder: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** What the service needs to store in the bucket, below a prefix. */
  readonly flags: (prefix: string) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Another server with the same buckets, at another address, instead of this one. */
  move(host: string): Promise<S3Server>;
  /** Ends it at once, in the middle of whatever it does. Gives what starts it again, at the same address. */
  crash(): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

/** `host` is the address it listens at: of a real node's pods, the one they see this machine at. */
export async function startS3Server(host = "127.0.0.1"): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "drs-s3-"));
  await mkdir(join(folder, "buckets", bucket), { recursive: true });
  await mkdir(join(folder, "metadata"));
  return serve(folder, host);
}

const bucket = "backups";

const credentials = { accessKeyId: "the-access-key", secretAccessKey: "the-secret-key" };

/** Starts the program, and gives what ends it. */
async function startProgram(folder: string, address: string): Promise<() => Promise<void>> {
  const server = spawn(join(await buildPrograms(), "versitygw"), ["posix", join(folder, "buckets")], {
    env: {
      ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
      ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      VGW_PORT: address,
      VGW_QUIET: "true",
      VGW_META_SIDECAR: join(folder, "metadata"),
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  server.stderr.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const killWithUs = () => server.kill("SIGKILL");
  process.once("exit", killWithUs);
  const isUp = () => answers(`http://${address}`);
  await eventually("the S3 server answers", isUp, { timeout: 20_000, look: () => output });
  return async () => {
    process.off("exit", killWithUs);
    server.kill("SIGKILL");
    if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
  };
}

async function serve(folder: string, host: string): Promise<S3Server> {
  const bucketFolder = join(folder, "buckets", bucket);
  const address = `${host}:${await freePort(host)}`;
  const endpoint = `http://${address}`;
  let end = await startProgram(folder, address);
  return {
    endpoint,
    bucket,
    bucketFolder,
    credentials,
    flags: (prefix) => [
      `--storage=s3://${bucket}/${prefix}`,
      `--s3-endpoint=${endpoint}`,
      "--s3-region=us-east-1",
      "--s3-addressing=path",
    ],
    env: { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey },
    async move(otherHost) {
      await end();
      return serve(folder, otherHost);
    },
    async crash() {
      await end();
      return async () => {
        end = await startProgram(folder, address);
      };
    },
    async stop() {
      await end();
      await rm(folder, { recursive: true });
    },
  };
}

/** Any answer will do: a request without a signature is refused. */
async function answers(endpoint: string): Promise<boolean> {
  return fetch(endpoint).then(
    () => true,
    () => false,
  );
}
