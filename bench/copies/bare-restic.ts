import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildPrograms } from "../../test/cluster/support/cluster.ts";
import type { S3Server } from "../../test/cluster/support/s3-server.ts";
import { inFlight, seconds } from "../in-flight.ts";

const run = promisify(execFile);

/** restic alone, as a program of this machine, with a repository of its own on the same server. */
export class BareRestic {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #bin: string;
  readonly #atOnce: number;

  private constructor(folder: string, bin: string, env: NodeJS.ProcessEnv, atOnce: number) {
    this.#folder = folder;
    this.#bin = bin;
    this.#env = env;
    this.#atOnce = atOnce;
  }

  /** Makes the repository. */
  static async open(s3: S3Server, path: string, atOnce: number): Promise<BareRestic> {
    const folder = await mkdtemp(join(tmpdir(), "drs-bare-"));
    const env = {
      ...process.env,
      ...s3.env,
      AWS_DEFAULT_REGION: "us-east-1",
      RESTIC_REPOSITORY: `s3:${s3.endpoint}/${s3.bucket}/${path}`,
      RESTIC_PASSWORD: "bench",
    };
    const bare = new BareRestic(folder, join(await buildPrograms(), "restic"), env, atOnce);
    await bare.#restic("init");
    return bare;
  }

  /**
   * The seconds that backups of copies of folders take, by claim. The copies are made before: restic has to look at new files of old
   * paths, as it has in a volume that the test cluster's driver makes of a snapshot.
   */
  async backUp(folders: ReadonlyMap<string, string>): Promise<number> {
    const places = [...folders].map(([claim, folder]) => ({ folder, place: join(this.#folder, "volumes", claim) }));
    await mkdir(join(this.#folder, "volumes"), { recursive: true });
    for (const { folder, place } of places) {
      await rm(place, { recursive: true, force: true });
      await run("cp", ["-a", "--reflink=auto", folder, place]);
    }
    return seconds(() => inFlight(places, this.#atOnce, ({ place }) => this.#restic("backup", "--json", place)));
  }

  /** The seconds that it takes to restore the last backups into new folders, and to verify that. */
  async restore(claims: Iterable<string>): Promise<number> {
    const target = join(this.#folder, "restored");
    const took = await seconds(() =>
      inFlight([...claims], this.#atOnce, (claim) => {
        const place = join(this.#folder, "volumes", claim);
        return this.#restic(
          "restore",
          "latest",
          "--path",
          place,
          "--target",
          join(target, claim),
          "--sparse",
          "--verify",
        );
      }),
    );
    await rm(target, { recursive: true });
    return took;
  }

  async stop(): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }

  async #restic(...args: readonly string[]): Promise<void> {
    const cache = join(this.#folder, "cache", crypto.randomUUID()); // as movers have none of an earlier one
    await run(this.#bin, ["--quiet", "--cache-dir", cache, ...args], { env: this.#env, maxBuffer: 2 ** 28 });
    await rm(cache, { recursive: true, force: true });
  }
}
