import type { CopyData } from "../archive/format.ts";
import { DrsError } from "../errors.ts";
import { jobLabel } from "../kinds/own-labels.ts";
import { persistentVolumeClaims } from "../kubernetes/built-in-kinds.ts";
import { forEachInFlight } from "../kubernetes/in-flight.ts";
import type { FillingData } from "./volume-data.ts";

/** On claims that get their data from a copy: the job's uuid. */
const fromCopyLabel = "drs.cloudera.com/from-copy";

/**
 * Data as copies in a repository. A claim is made empty, and a mover brings its data when it is bound (`copy/load-copies.ts`),
 * which proves the copy, too: before that nobody may have the claim, so it is a filler always.
 */
export const copiedData: FillingData<CopyData> = {
  driverFor: () => undefined,
  check: () => Promise.resolve(new Map()),
  async fill({ cluster, uuid, inFlight, signal }, claims, made) {
    await forEachInFlight(claims, inFlight, async (one) => {
      const { namespace, claim, object } = one;
      const { metadata } = object;
      if (metadata.labels?.[jobLabel] !== uuid)
        throw new DrsError("INTERNAL", `claim ${namespace}/${claim} would be there before its data is`);
      const labels = { ...metadata.labels, [fromCopyLabel]: uuid };
      const empty = { ...object, metadata: { ...metadata, labels } };
      await cluster.createOnce(persistentVolumeClaims, namespace, empty, signal);
      await made(one);
    });
  },
  isFilled: (uuid, { metadata }) => metadata.labels?.[fromCopyLabel] === uuid,
  release: () => Promise.resolve(),
  discard: () => Promise.resolve(new Map()),
};
