import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "./connection.ts";
import { hasStatus } from "../kubernetes-error.ts";
import type { KubernetesObject } from "../kubernetes-object.ts";
import { type ListOptions, listObjects } from "./object-list.ts";

/** An object as it is now; `gone` when it no longer exists. */
export interface Sighting {
  readonly object: KubernetesObject;
  readonly gone: boolean;
}

interface WatchEvent {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: KubernetesObject & { code?: number };
}

/** Before a watch that has ended is taken up: a server, or a proxy, may end every watch at once. */
const pauseMs = 100;

/**
 * Follows a collection: first every object there is, then "listed", then each change as it happens, until the signal is
 * aborted or the caller stops.
 *
 * A watch that ends is taken up where it was; one that is too old (410) gives "relisting" and begins again with a list:
 * objects that are not in it went meanwhile.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export async function* watchObjects(
  connection: Connection,
  path: string,
  options: ListOptions,
  signal: AbortSignal,
): AsyncGenerator<Sighting | "listed" | "relisting"> {
  for (;;) {
    const list = listObjects(connection, path, options, signal);
    let step = await list.next();
    for (; step.done !== true; step = await list.next())
      for (const item of step.value) yield { object: JSON.parse(item.toString()) as KubernetesObject, gone: false };
    yield "listed";
    const { resourceVersion, isOfOneMoment } = step.value;
    if (isOfOneMoment) yield* changesSince(connection, path, options, resourceVersion, signal);
    else await sleep(pauseMs, undefined, { signal });
    yield "relisting";
  }
}

/** Ends when the cluster no longer knows the version it has come to. */
async function* changesSince(
  connection: Connection,
  path: string,
  options: ListOptions,
  since: string,
  signal: AbortSignal,
): AsyncGenerator<Sighting> {
  let resourceVersion = since;
  for (let first = true; ; first = false) {
    if (!first) await sleep(pauseMs, undefined, { signal });
    const query = new URLSearchParams({ watch: "true", allowWatchBookmarks: "true", resourceVersion, ...options });
    try {
      const body = await connection.stream({ method: "GET", path: `${path}?${query.toString()}`, signal, watch: true });
      try {
        for await (const event of linesOf(body)) {
          if (event.type === "ERROR") {
            if (event.object.code === 410) return;
            break;
          }
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
          if (event.type !== "BOOKMARK") yield { object: event.object, gone: event.type === "DELETED" };
        }
      } finally {
        body.destroy();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (hasStatus(error, 410)) return;
      if (!(error instanceof BrokenWatchError)) throw error;
    }
  }
}

class BrokenWatchError extends Error {}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of body) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
        const line = rest.subarray(0, end);
        rest = rest.subarray(end + 1);
        if (line.length > 0) yield JSON.parse(line.toString()) as WatchEvent;
      }
    }
  } catch (error) {
    throw new BrokenWatchError("the watch broke off", { cause: error });
  }
}
