import type { KubernetesObject } from "../../kubernetes/kubernetes-object.ts";

type Members = Readonly<Record<string, string>>;

/**
 * The merge patch of an object's metadata that gives it the labels and annotations of the saved one, and takes away what has
 * come since; undefined where they are as saved.
 */
export function labelsAndAnnotations(
  existing: KubernetesObject,
  saved: KubernetesObject,
): { readonly labels?: object; readonly annotations?: object } | undefined {
  const labels = changesOf(existing.metadata.labels, saved.metadata.labels);
  const annotations = changesOf(existing.metadata.annotations, saved.metadata.annotations);
  if (!labels && !annotations) return undefined;
  return { ...(labels && { labels }), ...(annotations && { annotations }) };
}

/** In a merge patch null takes a member away. */
function changesOf(existing: Members = {}, saved: Members = {}): object | undefined {
  const gone = Object.keys(existing).filter((name) => !(name in saved));
  const changed = Object.entries(saved).filter(([name, value]) => existing[name] !== value);
  if (gone.length === 0 && changed.length === 0) return undefined;
  return { ...Object.fromEntries(gone.map((name) => [name, null])), ...Object.fromEntries(changed) };
}
