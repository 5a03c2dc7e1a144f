import type { KubernetesObject } from "./kubernetes-client.ts";
import type { Picture } from "./picture.ts";

type Fields = Record<string, unknown>;

/** Members of the metadata that the API server gives every object it creates. */
const serverSet = ["uid", "resourceVersion", "generation", "creationTimestamp"];

/** Annotations in which a controller notes its own work. */
const controllersNotes = [
  "deployment.kubernetes.io/revision",
  "pv.kubernetes.io/bind-completed",
  "pv.kubernetes.io/bound-by-controller",
];

/** Further fields that the cluster must change when an object is recreated: a claim's volume and source, a volume's name and handle. */
const mustChange: Readonly<Record<string, readonly string[]>> = {
  PersistentVolumeClaim: ["spec.volumeName", "spec.dataSource", "spec.dataSourceRef"],
  PersistentVolume: ["metadata.name", "spec.csi.volumeHandle", "spec.claimRef.uid", "spec.claimRef.resourceVersion"],
};

/** One line for each object and file that is missing, new or not the same. Empty when all is as it was. */
export function differences(before: Picture, after: Picture): readonly string[] {
  return [
    ...compare(before.objects, after.objects, (was, is) => changes(comparable(was), comparable(is), "")),
    ...compare(before.files, after.files, (was, is) => (was.equals(is) ? [] : ["other bytes"])),
  ];
}

function compare<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  changesOf: (was: T, is: T) => readonly string[],
): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === undefined) return [`${name}: new`];
    if (is === undefined) return [`${name}: missing`];
    const changed = changesOf(was, is);
    return changed.length === 0 ? [] : [`${name}: ${changed.join("; ")}`];
  });
}

function comparable(object: KubernetesObject): Fields {
  const copy = structuredClone(object) as Fields & { metadata: Fields & { annotations?: Fields } };
  delete copy["status"];
  for (const field of serverSet) delete copy.metadata[field];
  for (const note of controllersNotes) delete copy.metadata.annotations?.[note];
  if (Object.keys(copy.metadata.annotations ?? {}).length === 0) delete copy.metadata.annotations;
  for (const path of mustChange[object.kind] ?? []) remove(copy, path.split("."));
  return copy;
}

function remove(fields: Fields, [name = "", ...rest]: readonly string[]): void {
  if (rest.length === 0) delete fields[name];
  else if (isFields(fields[name])) remove(fields[name], rest);
}

function changes(was: unknown, is: unknown, path: string): readonly string[] {
  if (isFields(was) && isFields(is)) {
    const names = [...new Set([...Object.keys(was), ...Object.keys(is)])].sort();
    return names.flatMap((name) => changes(was[name], is[name], path === "" ? name : `${path}.${name}`));
  }
  return Object.is(was, is) ? [] : [`${path} differs`];
}

/** Lists count as objects with their positions as names. */
function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
