/** What one phase of a backup notes for the ones after it. */
export const backupNotes = {
  namespaces: "namespaces",
  claims: "claims",
  /** Names of storage classes in which claims can be made from their snapshots. */
  classes: "classes",
  parts: "parts",
  /** Set when every snapshot has been cut. */
  cut: "cut",
  /** Groups and versions of the API that did not answer while objects were saved. */
  unavailable: "unavailable",
  kubernetesVersion: "kubernetes-version",
} as const;
