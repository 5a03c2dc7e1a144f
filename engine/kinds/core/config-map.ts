import type { KindRules } from "../kind-rules.ts";

/** The config map with the API server's certificate, which the cluster puts into every namespace. */
const rootCertificate = "kube-root-ca.crt";

export const configMap: KindRules = {
  name: "configmaps",
  isMadeByCluster: ({ metadata }) => metadata.name === rootCertificate,
  isOpaque: true,
  wave: "settings",
};
