/** What one phase of a backup notes for the ones after it. */
export const backupNotes = {
  namespaces: "namespaces",
  claims: "claims",
  parts: "parts",
  /** Set when every snapshot has been cut. */
  cut: "cut",
  /** Groups and versions of the API that did not answer while objects were saved. */
  unavailable: "unavailable",
  kubernetesVersion: "kubernetes-version",
} as const;
