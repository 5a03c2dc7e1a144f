import { registerHooks } from "node:module";

/** Of the library's folder: an API client for every kind, of which nothing is used here. */
const generated = "./gen/index.js";
/** The names that the library's own modules import from there, for an API client that is never made. */
const nothing = "data:text/javascript,export const createConfiguration = undefined, ServerConfiguration = undefined;";

/**
 * Loads of Kubernetes' client library what reads kubeconfigs and what runs commands in pods. Its generated API clients, 20 MB of
 * sources, stay out of memory.
 */
export async function loadClientLibrary() {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const isOfLibrary = context.parentURL?.includes("/@kubernetes/client-node/dist/") === true;
      if (isOfLibrary && specifier === generated) return { url: nothing, format: "module", shortCircuit: true };
      return next(specifier, context);
    },
  });
  try {
    const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
    const { Exec } = await import("@kubernetes/client-node/dist/exec.js");
    return { KubeConfig, Exec };
  } finally {
    hooks.deregister();
  }
}
