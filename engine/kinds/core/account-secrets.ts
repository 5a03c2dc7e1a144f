/**
 * Whether a Secret's name is one that the cluster itself makes up for a service account: clusters before 1.24 made a token for
 * each, OpenShift a `dockercfg`. Five characters are drawn at the end, of these only:
 * https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go
 */
export function isMadeForAccount(account: string, use: "token" | "dockercfg", name: string): boolean {
  const prefix = `${account}-${use}-`;
  return name.startsWith(prefix) && /^[bcdfghjklmnpqrstvwxz2456789]{5}$/.test(name.slice(prefix.length));
}
