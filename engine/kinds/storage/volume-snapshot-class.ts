import { volumeSnapshots } from "../../kubernetes/built-in-kinds.ts";
import type { KindRules } from "../kind-rules.ts";

const name = "volumesnapshotclasses.snapshot.storage.k8s.io";

export const volumeSnapshotClass: KindRules = {
  name,
  read: "list",
  isNeeded: ({ driver, metadata }, { drivers, isNamed }) => drivers.has(driver) || isNamed(name, metadata.name),
  users: [volumeSnapshots],
  wave: "cluster",
  isForClaims: true,
  isForSnapshots: true,
};
