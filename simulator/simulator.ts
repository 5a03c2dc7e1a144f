import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { initialObjects, snapshotClass } from "./bootstrap.ts";
import { ClaimVolumes } from "./volumes/claim-volumes.ts";
import { Cluster } from "./cluster.ts";
import { allControllers } from "./controllers/all-controllers.ts";
import { ControllerManager } from "./controllers/controller-manager.ts";
import { createAll } from "./objects/create-object.ts";
import { createApiServer } from "./http/api-server.ts";
import type { Interception, Request } from "./http/api-server.ts";
import type { Access } from "./http/reviews.ts";
import type { Program } from "./programs.ts";
import { createSample } from "./sample/sample.ts";
import { loadState, saveState } from "./saved-state.ts";

export interface SimulatorOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Fills the cluster with a sample control plane. */
  readonly sample?: boolean;
  /** Begins with what another simulator has saved, instead of with an empty cluster. */
  readonly state?: string;
  /** No page of a list holds more items, whatever limit the client asks for. */
  readonly pageLimit?: number;
  /** Milliseconds between a change and the controllers' answer to it. */
  readonly controllerDelay?: number;
  /** The user of each bearer token that token reviews know. */
  readonly tokens?: Readonly<Record<string, string>>;
  /** What access reviews answer; everything is allowed by default. */
  readonly isAllowed?: (access: Access) => boolean;
}

export interface Simulator {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** The files on the volumes of claims. */
  readonly volumes: ClaimVolumes;
  /** From now on the pods of jobs run this. */
  runPrograms(program: Program): void;
  /** From now on namespaces without a label of Pod Security have this level, as the cluster's default. */
  setPodSecurityDefault(level: "privileged" | "baseline" | "restricted"): void;
  /** From now on every continue token handed out so far is answered with 410, as after a compaction. */
  expireContinueTokens(): void;
  /** From now on watches from a past resourceVersion are answered with 410, as after a compaction. */
  compact(): void;
  /** Lets a test answer requests in the server's stead; the last one given counts, undefined ends it. */
  intercept(interceptor: Interceptor | undefined): void;
  /** All that the cluster holds at this moment, for a later simulator. */
  save(): string;
  /** Resolves once the controllers have nothing left to do. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Answers a request, or leaves it to the server by returning undefined. A request whose interceptor returns a promise waits for
 * it: so a test may act at one moment of a job, however slow the machine is.
 */
export type Interceptor = (request: Request) => Interception;

/** Starts a simulated cluster in this process: a Kubernetes API over HTTP, with everything in memory. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const cluster = new Cluster();
  const paging = { pageLimit: options.pageLimit ?? Infinity, epoch: 1 };
  let interceptor: Interceptor | undefined;
  const manager = new ControllerManager(cluster, allControllers(cluster), options.controllerDelay ?? 2);
  const server = createApiServer(cluster, {
    paging,
    access: { tokens: options.tokens ?? {}, isAllowed: options.isAllowed ?? (() => true) },
    intercept: (request) => interceptor?.(request),
  });
  if (options.state !== undefined) await loadState(cluster, options.state, () => manager.settled());
  else {
    createAll(cluster, initialObjects());
    await manager.settled();
    createAll(cluster, [snapshotClass]);
  }
  const volumes = new ClaimVolumes(cluster);
  if (options.sample) await createSample(cluster, volumes, () => manager.settled());
  server.keepAliveTimeout = 0; // a request may else meet a connection that the server is about to close
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    volumes,
    runPrograms: (program) => {
      cluster.programs.program = program;
    },
    setPodSecurityDefault: (level) => {
      cluster.podSecurityDefault = level;
    },
    expireContinueTokens: () => paging.epoch++,
    compact: () => cluster.store.compact(),
    save: () => saveState(cluster),
    settled: () => manager.settled(),
    intercept: (next) => {
      interceptor = next;
    },
    async close() {
      manager.close();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
