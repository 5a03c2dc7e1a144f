/** What one phase of a backup notes for the ones after it. */
export const backupNotes = {
  namespaces: "namespaces",
  claims: "claims",
  parts: "parts",
  /** Set when every snapshot has been cut. */
  cut: "cut",
  kubernetesVersion: "kubernetes-version",
} as const;
