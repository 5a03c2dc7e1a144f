/** What one phase of a backup notes for the ones after it. */
export const backupNotes = {
  namespaces: "namespaces",
  claims: "claims",
  parts: "parts",
  kubernetesVersion: "kubernetes-version",
} as const;
