import type { JobContext } from "../jobs/phase.ts";
import type { Discovery } from "../kubernetes/discovery.ts";
import { isSavedResource } from "../objects/object-selection.ts";

/** Warns of what does not answer, so that nobody knows which objects of it there are. */
export function reportUnavailable(discovery: Discovery, namespaces: readonly string[], { warn }: JobContext): void {
  for (const apiVersion of discovery.unavailable) {
    const own = ownServer(discovery, namespaces, apiVersion);
    if (own === undefined)
      warn("DRS-B014", "", `the API ${apiVersion} does not answer: objects of its kinds are not in this backup`);
    else
      warn(
        "DRS-B015",
        "",
        `the API ${apiVersion} does not answer: service ${own} of the control plane serves it, see why that is down`,
      );
  }
}

/** Reports the kinds that are served by the saved objects themselves. */
export function reportOwn(discovery: Discovery, namespaces: readonly string[], { info }: JobContext): void {
  for (const apiVersion of new Set(discovery.resources.filter(isSavedResource).map((kind) => kind.apiVersion))) {
    const own = ownServer(discovery, namespaces, apiVersion);
    if (own !== undefined)
      info(`objects of ${apiVersion} are not saved one by one: service ${own} keeps them in its own data`);
  }
}

function ownServer({ serverOf }: Discovery, namespaces: readonly string[], apiVersion: string): string | undefined {
  const server = serverOf(apiVersion);
  return server && namespaces.includes(server.namespace) ? `${server.namespace}/${server.name}` : undefined;
}
