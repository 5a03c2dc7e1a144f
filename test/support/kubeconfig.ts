/** A kubeconfig for a cluster that asks nobody who calls, such as a simulated one. */
export function kubeconfig(server: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    // The library takes no cluster in clear text otherwise.
    clusters: [{ name: "only", cluster: { server, "insecure-skip-tls-verify": server.startsWith("http:") } }],
    users: [{ name: "nobody", user: {} }],
    contexts: [{ name: "only", context: { cluster: "only", user: "nobody" } }],
    "current-context": "only",
  };
}
