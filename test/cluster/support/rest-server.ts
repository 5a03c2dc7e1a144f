import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

const run = promisify(execFile);
const build = join(import.meta.dirname, "../programs/rest-server/build.sh");

/** restic's REST server, a process of its own, that lets one user in. Its repositories are folders. */
export interface RestServer {
  readonly url: string;
  readonly folder: string;
  /** restic's environment for it. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function startRestServer(host: string): Promise<RestServer> {
  const folder = await mkdtemp(join(tmpdir(), "drs-rest-"));
  const env = { RESTIC_REST_USERNAME: "drs", RESTIC_REST_PASSWORD: "the-password" };
  const digest = createHash("sha1").update(env.RESTIC_REST_PASSWORD).digest("base64");
  await writeFile(join(folder, ".htpasswd"), `${env.RESTIC_REST_USERNAME}:{SHA}${digest}\n`);
  const address = `${host}:${await freePort(host)}`;
  const { stdout } = await run(build);
  const server = spawn(stdout.trim(), ["--path", folder, "--listen", address], { stdio: "ignore" });
  const killWithUs = () => server.kill("SIGKILL");
  process.once("exit", killWithUs);
  const url = `http://${address}`;
  const answers = () =>
    fetch(url).then(
      () => true,
      () => false,
    );
  await eventually("the REST server answers", answers, { timeout: 20_000 });
  return {
    url,
    folder,
    env,
    async stop() {
      process.off("exit", killWithUs);
      server.kill("SIGKILL");
      if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
      await rm(folder, { recursive: true });
    },
  };
}
