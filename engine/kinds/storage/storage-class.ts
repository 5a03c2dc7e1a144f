import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import type { KindRules } from "../kind-rules.ts";

export const storageClass: KindRules = {
  name: "storageclasses.storage.k8s.io",
  read: "get",
  noteNeeds: ({ provisioner }, { drivers }) => drivers.add(provisioner),
  /** The volumes of a class that is nothing but a name have been made by hand. */
  mayBeOnlyAName: (name, { staticClasses }) => staticClasses.has(name),
  users: [persistentVolumeClaims],
  wave: "cluster",
  isForClaims: true,
};
