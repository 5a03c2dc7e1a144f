import type { SavedData } from "../archive/format.ts";
import type { JobContext } from "../jobs/phase.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { KubernetesObject } from "../kubernetes/kubernetes-object.ts";
import type { SnapshotableClaim } from "./claims.ts";

/** The request to save data. */
export interface SaveRequest {
  readonly cluster: Cluster;
  readonly claims: readonly SnapshotableClaim[];
  readonly timeoutMs: number;
  readonly inFlight: number;
}

/** The request to work with saved data. */
export interface DataRequest {
  readonly cluster: Cluster;
  /** The job's, or the backup's: names of all that is made in the cluster are derived from it. */
  readonly uuid: string;
  readonly timeoutMs: number;
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

/** Saved data and the claim that it is of, or that it goes into. */
export interface ClaimData<Data extends SavedData> {
  readonly namespace: string;
  readonly claim: string;
  readonly data: Data;
}

/** A claim that is to be made and filled. */
export interface Filling<Data extends SavedData> extends ClaimData<Data> {
  /** The claim to create, without its data source. */
  readonly object: KubernetesObject;
}

/** The faults, by namespace and claim. */
export type Faults = ReadonlyMap<string, string>;

/**
 * One kind of place where volumes' data is kept. Each method may run again, at any line: it looks before it acts, and derives
 * the names of what it makes.
 */
export interface VolumeData<Data extends SavedData> extends FillingData<Data> {
  /** Begins to save the data of claims, all at once, and resolves when applications may write again. FAILED_PRECONDITION names claims that cannot be saved. */
  begin(context: JobContext, request: SaveRequest): Promise<void>;
  /** Resolves when all that was begun can be used. FAILED_PRECONDITION as for `begin`. */
  untilUsable(context: JobContext, request: SaveRequest): Promise<void>;
  /** Notes where the data is, and makes it outlast everything in the cluster. */
  keep(context: JobContext, request: SaveRequest): Promise<void>;
  /** Removes the snapshots an earlier run has begun. FAILED_PRECONDITION names those that are not gone in time. */
  discardBegun(context: JobContext, request: SaveRequest): Promise<void>;
}

/** What of it there is once the data has been saved. */
export interface FillingData<Data extends SavedData> {
  /** The driver that has to make the volume that the data goes into; undefined when any may. */
  driverFor(data: Data): string | undefined;
  /** Proves that the data is there and can be used for the claims. Returns the faults. */
  check(request: DataRequest, claims: readonly ClaimData<Data>[]): Promise<Faults>;
  /**
   * Makes claims that are filled with the data, which `check` has proven; `made` is called for each. They bind when their volumes
   * are there. FAILED_PRECONDITION names those whose data does not become usable in time.
   */
  fill<One extends Filling<Data>>(
    request: DataRequest,
    claims: readonly One[],
    made: (one: One) => Promise<void>,
  ): Promise<void>;
  /** Whether `fill` has made the claim, for this uuid. */
  isFilled(uuid: string, claim: KubernetesObject): boolean;
  /**
   * Removes what `check` and `fill` have made beside the claims, also where only some of it was made; the data stays.
   * FAILED_PRECONDITION names the objects that are not gone in time; they keep no others.
   */
  release(request: DataRequest, claims: readonly ClaimData<Data>[]): Promise<void>;
  /** Deletes the data itself; missing data is not a fault. Returns the faults. */
  discard(request: DataRequest, claims: readonly ClaimData<Data>[]): Promise<Faults>;
}
