import type { Body, Connection } from "./connection.ts";
import { hasStatus } from "../kubernetes-error.ts";
import type { KubernetesObject } from "../kubernetes-object.ts";
import { ListSplitter } from "./list-splitter.ts";
import { DrsError } from "../../errors.ts";

export interface ListOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** The metadata of a whole list. Only when it is of one moment does a watch since then miss nothing. */
export interface ListEnd {
  readonly resourceVersion: string;
  readonly isOfOneMoment: boolean;
}

interface ListHead {
  apiVersion?: string;
  kind?: string;
  metadata?: { continue?: string; resourceVersion?: string };
}

const pageLimit = 500;
/** In a row, without an object more. */
const maxInterruptions = 20;

/**
 * The objects of a collection as the API server's own bytes, a few at a time, in pages. While one page is read the next is
 * asked for already.
 *
 * A page that breaks off is read again, and a continue token that has expired (410) is replaced by the one that the
 * answer offers, or else the list starts over. Objects come in the order of their keys, so after each of these every object
 * at or before the last one given is skipped: there are no gaps and no duplicates. After an expiry the rest is as of
 * a later moment.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
 */
export async function* listObjects(
  connection: Connection,
  path: string,
  options: ListOptions,
  signal: AbortSignal,
  accept?: string,
): AsyncGenerator<readonly Buffer[], ListEnd> {
  const progress: Progress = { last: undefined };
  const ask = (token: string | undefined): AskedPage => {
    const request = { method: "GET", path: pagePath(path, options, token), signal } as const;
    const asked = connection.stream(accept === undefined ? request : { ...request, accept });
    asked.catch(() => undefined); // it is met where the page is read, if it is
    return asked;
  };
  let token: string | undefined;
  let current = ask(token);
  let ahead: AskedPage | undefined;
  let isOfOneMoment = true;
  try {
    let interruptedAt: Buffer | undefined;
    for (let interruptions = 0; ;) {
      try {
        const { metadata } = yield* page(current, path, progress, (next) => {
          ahead = ask(next);
        });
        token = metadata?.continue;
        if (token === undefined || token === "")
          return { resourceVersion: metadata?.resourceVersion ?? "", isOfOneMoment };
        current = ahead ?? ask(token);
      } catch (error) {
        signal.throwIfAborted();
        const expired = hasStatus(error, 410);
        const broken = error instanceof BrokenPageError;
        interruptions = progress.last === interruptedAt ? interruptions + 1 : 1;
        interruptedAt = progress.last;
        if ((!expired && !broken) || interruptions > maxInterruptions) throw error;
        isOfOneMoment = false;
        if (ahead) discard(ahead);
        if (expired) token = error.continueToken;
        current = ask(token);
      }
      ahead = undefined;
    }
  } finally {
    discard(current);
    if (ahead) discard(ahead);
  }
}

/** A page that the API server was asked for. */
type AskedPage = Promise<Body>;

function discard(asked: AskedPage): void {
  asked.then(
    (body) => body.on("error", () => undefined).destroy(),
    () => undefined,
  );
}

/** The last object given away: what comes at or before it in a repeated page is known. */
interface Progress {
  last: Buffer | undefined;
}

class BrokenPageError extends DrsError {}

/** `onNext` gets the token of the next page as soon as it is read: lists of built-in kinds have it first. */
async function* page(
  asked: AskedPage,
  path: string,
  progress: Progress,
  onNext: (token: string) => void,
): AsyncGenerator<readonly Buffer[], ListHead> {
  const body = await asked;
  const splitter = new ListSplitter();
  const known = progress.last && keyOf(progress.last);
  let passing = known !== undefined;
  let start: ListHead | undefined;
  try {
    for await (const chunk of breakable(body, path)) {
      let items = splitter.push(chunk);
      if (start === undefined) {
        start = splitter.start() as ListHead | undefined;
        const next = start?.metadata?.continue ?? "";
        if (next !== "") onNext(next);
      }
      if (passing && known !== undefined) {
        const fresh = items.findIndex((item) => Buffer.compare(keyOf(item), known) > 0);
        items = fresh < 0 ? [] : items.slice(fresh);
      }
      const last = items.at(-1);
      if (last === undefined) continue;
      passing = false;
      yield items;
      progress.last = last;
    }
  } finally {
    body.destroy();
  }
  try {
    return splitter.end() as ListHead;
  } catch (error) {
    throw new BrokenPageError("UNAVAILABLE", `GET ${path}: the API server's answer broke off`, { cause: error });
  }
}

/** Distinguishes a failure of the connection from one of the items' consumer. */
async function* breakable(body: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw new BrokenPageError("UNAVAILABLE", `GET ${path}: the connection broke: ${String(error)}`, { cause: error });
  }
}

/** Lists are in the order of the keys in etcd, which end in `<namespace>/<name>`. */
function keyOf(item: Buffer): Buffer {
  const { metadata } = JSON.parse(item.toString()) as KubernetesObject;
  return Buffer.from(metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`);
}

function pagePath(path: string, options: ListOptions, token: string | undefined): string {
  const query = new URLSearchParams({ limit: String(pageLimit) });
  for (const [name, value] of Object.entries(options) as [string, string | undefined][])
    if (value !== undefined) query.set(name, value);
  if (token !== undefined) query.set("continue", token);
  return `${path}?${query.toString()}`;
}
