import { persistentVolumeClaims } from "../../kubernetes/built-in-kinds.ts";
import type { KindRules } from "../kind-rules.ts";

export const volumeAttributesClass: KindRules = {
  name: "volumeattributesclasses.storage.k8s.io",
  read: "get",
  users: [persistentVolumeClaims],
  wave: "cluster",
  isForClaims: true,
};
