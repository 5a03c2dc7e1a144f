import { describe, expect, test } from "vitest";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import { backupBreaches } from "./backup-rule.ts";
import { keyOf } from "./kinds.ts";
import { object } from "./objects.ts";
import { breaches, type Restored, type RestoreOutcome } from "./rule.ts";
import type { State } from "./state.ts";

const config = (release: string) => object("v1", "ConfigMap", "settings", "w", { data: { release } });
const claim = object("v1", "PersistentVolumeClaim", "data", "w", { spec: {} });
const web = object("apps/v1", "Deployment", "web", "w", { spec: { replicas: 1 } });
const isBack = { namespace: "", text: "the restore failed and was rolled back: the control plane is as before" };
const place = { namespace: "", text: "what it replaced is in folder archives under safety/u1" };

interface Picture {
  readonly objects?: readonly KubernetesObject[];
  /** The text of the claim's only file, and the volume it is on. */
  readonly file?: string;
  readonly volume?: string;
  readonly running?: number;
  readonly others?: readonly KubernetesObject[];
}

function state({
  objects = [config("1"), claim, web],
  file = "1",
  volume = "pv-1",
  running = 1,
  others = [],
}: Picture = {}): State {
  const files = new Map(file === "" ? [] : [["VERSION", file]]);
  return {
    objects: new Map(objects.map((it) => [keyOf(it), it])),
    running: new Map(running > 0 ? [["Deployment.apps w/web", { "app:v1": running }]] : []),
    volumeOf: new Map([["w/data", volume]]),
    volumes: new Map([[volume, { claim: "w/data", policy: "Delete", files }]]),
    others: new Map(others.map((it) => [keyOf(it), it])),
  };
}

const everything = new Set(["ConfigMap w/settings", "PersistentVolumeClaim w/data", "Deployment.apps w/web"]);

/** A restore over a control plane that was changed in everything since its backup. */
function restored(
  more: Partial<Omit<Restored, "outcome">> & { readonly outcome?: Partial<RestoreOutcome> },
): readonly string[] {
  const { outcome, ...rest } = more;
  return breaches({
    saved: state(),
    before: state({ objects: [config("2"), claim, web], file: "2" }),
    after: state({ volume: "pv-2" }),
    copies: { inBackup: everything, snapshots: new Set(["w/data"]), inSafetyArchive: undefined },
    ignored: new Set(),
    ...rest,
    outcome: { state: "COMPLETED", messages: [], rolledBack: false, uuid: "u1", ...outcome },
  });
}

const failed = (...messages: RestoreOutcome["messages"]) => ({ state: "FAILED", rolledBack: true, messages });
const before = state({ objects: [config("2"), claim, web], file: "2" });

describe("the rule is kept", () => {
  test.each<[string, Parameters<typeof restored>[0]]>([
    ["by a restore after which all is as saved", {}],
    [
      "by one that leaves what is cluster-scoped, and in no backup, as it was",
      { saved: state({ objects: [config("1"), claim, web, object("v1", "PriorityClass", "w-unused", undefined)] }) },
    ],
    ["by one that failed and touched nothing", { after: before, outcome: { ...failed(isBack), rolledBack: false } }],
    ["by one that rolled back to the state before it", { after: before, outcome: failed(isBack) }],
    [
      "by one that names what was refused, and the backup has it",
      {
        after: state({ objects: [claim, web] }),
        outcome: { state: "FAILED", messages: [{ namespace: "w", text: "ConfigMap settings was not restored: 403" }] },
      },
    ],
    [
      "by one that names what did not come back, and where it lies",
      {
        after: state({ objects: [claim, web], file: "2" }),
        copies: { inBackup: everything, snapshots: new Set(), inSafetyArchive: everything },
        outcome: failed({ namespace: "w", text: "ConfigMap settings was not put back: 403" }, place),
      },
    ],
  ])("%s", (_, restore) => expect(restored(restore)).toEqual([]));
});

describe("the rule is broken", () => {
  test.each<[string, RegExp, Parameters<typeof restored>[0]]>([
    [
      "by a lost object that nobody names",
      /ConfigMap w\/settings: missing/,
      { after: state({ objects: [claim, web] }) },
    ],
    [
      "by a lost object whose only copy was deleted",
      /no copy that is told: ConfigMap w\/settings: missing/,
      {
        after: state({ objects: [claim, web], file: "2" }),
        outcome: failed({ namespace: "w", text: "ConfigMap settings was not put back: 403" }),
      },
    ],
    [
      "by a lost object whose copy is told of no place",
      /no copy that is told/,
      {
        after: state({ objects: [claim, web], file: "2" }),
        copies: { inBackup: everything, snapshots: new Set(), inSafetyArchive: everything },
        outcome: failed({ namespace: "w", text: "ConfigMap settings was not put back: 403" }),
      },
    ],
    ["by a lost file", /data of w\/data/, { after: state({ file: "" }) }],
    [
      "by a lost file that no snapshot has, though the claim is named",
      /data lost: w\/data/,
      {
        after: state({ file: "", volume: "pv-2" }),
        copies: { inBackup: everything, snapshots: new Set(), inSafetyArchive: undefined },
        outcome: { state: "PARTIALLY_FAILED", messages: [{ namespace: "w", text: "claim data is empty" }] },
      },
    ],
    [
      "by an untrue word that all is as it was before",
      /untrue that all is as before: ConfigMap w\/settings: missing/,
      { after: state({ objects: [claim, web], file: "2" }), outcome: failed(isBack) },
    ],
    [
      "by a silent word that all is as before, and an application is down",
      /untrue that all is as before: Deployment.apps w\/web ran/,
      { after: state({ objects: [config("2"), claim, web], file: "2", running: 0 }), outcome: failed(isBack) },
    ],
    [
      "by an application that is down, and nobody names it",
      /Deployment.apps w\/web ran/,
      { after: state({ running: 0 }) },
    ],
    [
      "by something that is left and nobody names",
      /ConfigMap w\/stray: new/,
      { after: state({ objects: [config("1"), claim, web, object("v1", "ConfigMap", "stray", "w")] }) },
    ],
    ["by a restore that does half and is silent", /COMPLETED without a word/, { after: before }],
    ["by a failure without a word", /FAILED without a word/, { after: before, outcome: { state: "FAILED" } }],
    [
      "by a name of another namespace",
      /not named: ConfigMap w\/settings: missing/,
      {
        after: state({ objects: [claim, web] }),
        outcome: { state: "FAILED", messages: [{ namespace: "v", text: "ConfigMap settings was not restored" }] },
      },
    ],
    [
      "by a volume that belongs to nobody",
      /stray volume pv-9/,
      {
        after: {
          ...state(),
          volumes: new Map([...state().volumes, ["pv-9", { claim: "w/data", policy: "Delete", files: new Map() }]]),
        },
      },
    ],
    [
      "by a change of what belongs to others",
      /of others: ConfigMap o\/settings/,
      {
        before: state({ others: [object("v1", "ConfigMap", "settings", "o", { data: { of: "others" } })] }),
        after: state({ others: [object("v1", "ConfigMap", "settings", "o", { data: { of: "nobody" } })] }),
      },
    ],
  ])("%s", (_, breach, restore) => expect(restored(restore).join("\n")).toMatch(breach));
});

test("a backup names what it does not hold, objects and data", () => {
  const empty = { inBackup: new Set<string>(), snapshots: new Set<string>() };
  expect(backupBreaches(state(), { inBackup: everything, snapshots: new Set(["w/data"]) }, { messages: [] })).toEqual(
    [],
  );
  expect(backupBreaches(state(), empty, { messages: [] })).toHaveLength(4);
  const messages = [{ namespace: "w", text: "the data of claim data is not in this backup" }];
  expect(backupBreaches(state(), { inBackup: everything, snapshots: new Set() }, { messages })).toEqual([]);
});
