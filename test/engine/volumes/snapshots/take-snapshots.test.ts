import { expect, test } from "vitest";
import { savedVolumes } from "../../../../engine/volumes/snapshots/take-snapshots.ts";

test("a snapshot that an earlier service has noted is known as one", () => {
  const claim = { namespace: "cdp", claim: "db", persistentVolume: "pv", storageClass: "standard" };
  const snapshot = {
    driver: "csi.example.com",
    snapshotClass: "snapshots",
    snapshotHandle: "snap-1",
    restoreSize: null,
    snapshotTime: "2026-11-23T17:30:00Z",
  };
  const entries = () => [["volume/cdp/db", { ...claim, ...snapshot }]][Symbol.iterator]() as never;
  expect(savedVolumes({ notes: { entries } })).toEqual([{ ...claim, data: [{ kind: "snapshot", ...snapshot }] }]);
});
