/** The prefix of the name of each variable that sets something. */
const prefix = "DRS_";

/**
 * Says which variables of the service's own prefix set nothing, and which ones may be meant; undefined when there are none.
 * Variables that Kubernetes sets in a pod's environment for a Service named `drs` or `drs-...` are not meant for the service:
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
export function whyNotKnown(known: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const services = Object.keys(env).filter((name) => name.startsWith(prefix.slice(0, -1)) && name.endsWith(host));
  const ofServices = services.flatMap((name) => [
    `${name.slice(0, -host.length)}_SERVICE_`,
    `${name.slice(0, -host.length)}_PORT`,
  ]);
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith(prefix) && !known.includes(name) && !ofServices.some((start) => name.startsWith(start)),
  );
  if (unknown.length === 0) return undefined;
  const words = unknown.sort().map((name) => `${name} (is ${nearest(name, known)} meant?)`);
  return `the environment has variables that set nothing: ${words.join(", ")}: correct or remove them, --help names all`;
}

const host = "_SERVICE_HOST";

function nearest(name: string, known: readonly string[]): string {
  const likeness = (other: string) => alike(name.slice(prefix.length), other.slice(prefix.length));
  return known.reduce((best, other) => (likeness(other) > likeness(best) ? other : best));
}

/** From 0 to 1: how much of two words is their longest common subsequence. */
function alike(one: string, other: string): number {
  let before = Array.from({ length: other.length + 1 }, () => 0);
  for (const letter of one) {
    const now = [0];
    for (let at = 1; at <= other.length; at += 1) {
      const [up = 0, left = 0, diagonal = 0] = [before[at], now[at - 1], before[at - 1]];
      now.push(letter === other[at - 1] ? diagonal + 1 : Math.max(up, left));
    }
    before = now;
  }
  return (2 * (before.at(-1) ?? 0)) / (one.length + other.length);
}
