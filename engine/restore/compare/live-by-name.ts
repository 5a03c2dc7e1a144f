import { RawObject } from "../../kubernetes/raw-object.ts";
import { type LiveCollection, LiveCursor } from "./live-cursor.ts";
import { isUntouched, type LiveObject, liveObject, type LiveObjects } from "./live-objects.ts";

/** A live object compared with the saved one of its name. */
export interface Found {
  readonly is: LiveObject | "untouched";
  /** The whole of it, where it is known. */
  readonly raw?: RawObject;
}

/** The live objects of a kind in a namespace, to be asked for in the order of the archive, and closed. */
export interface LiveByName {
  readonly find: (name: string) => Promise<Found | undefined>;
  readonly close: () => Promise<void>;
}

/** Those that are known. */
export function knownByName({ untouched, others }: LiveObjects): LiveByName {
  return {
    find: async (name) => {
      const is = untouched.has(name) ? "untouched" : others.get(name);
      return is && { is };
    },
    close: async () => {},
  };
}

/** Those that one list shows while they are asked for. `saved`: the digests of the archived ones. Errors as for `liveObjects`. */
export function listedByName(collection: LiveCollection, saved: ReadonlySet<string>): LiveByName {
  const cursor = new LiveCursor(collection);
  const { type } = collection;
  return {
    find: async (name) => {
      const raw = await cursor.find(name);
      if (raw === undefined) return undefined;
      if (isUntouched(raw, saved)) return { is: "untouched", raw };
      return { is: liveObject(type, raw.object), raw: new RawObject(raw.copyOf(type)) };
    },
    close: () => cursor.close(),
  };
}
