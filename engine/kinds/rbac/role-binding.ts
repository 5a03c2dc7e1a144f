import { ownRightsLabel } from "../own-labels.ts";
import type { KindRules } from "../kind-rules.ts";
import { firmly } from "../reference.ts";
import type { MapName } from "../restoring-rules.ts";
import { type RoleRef, type Subject, subjectsOf } from "./subjects.ts";

export const roleBinding: KindRules = {
  name: "rolebindings.rbac.authorization.k8s.io",
  isMadeByCluster: ({ metadata: { labels = {} } }) => ownRightsLabel in labels,
  references({ roleRef }) {
    const role = roleRef as RoleRef | undefined;
    return role?.kind === "ClusterRole" ? [firmly("clusterroles.rbac.authorization.k8s.io", role.name)] : [];
  },
  needs({ roleRef }) {
    const { kind, name } = roleRef as RoleRef;
    return kind === "Role" ? [{ resource: "roles.rbac.authorization.k8s.io", name }] : [];
  },
  /** The accounts that it gives rights to. */
  neededBy: (binding) =>
    subjectsOf(binding)
      .filter(({ kind, namespace }) => kind === "ServiceAccount" && namespace === binding.metadata.namespace)
      .map(({ name }) => ({ resource: "serviceaccounts", name })),
  wave: "bindings",
  copy: (object, map) => ({
    ...object,
    ...(object["subjects"] !== undefined && {
      subjects: (object["subjects"] as Subject[]).map((subject) => mappedSubject(subject, map)),
    }),
  }),
};

/** By whichever of the names that RBAC knows accounts: see `isAccountOf`. */
function mappedSubject(subject: Subject, map: MapName): Subject {
  switch (subject.kind) {
    case "ServiceAccount":
      return { ...subject, ...(subject.namespace !== undefined && { namespace: map(subject.namespace) }) };
    case "User":
      return { ...subject, name: mappedWithin(/^(system:serviceaccount:)([^:]+)(:.*)$/, subject.name, map) };
    case "Group":
      return { ...subject, name: mappedWithin(/^(system:serviceaccounts:)([^:]+)()$/, subject.name, map) };
    default:
      return subject;
  }
}

function mappedWithin(pattern: RegExp, text: string, map: MapName): string {
  return text.replace(
    pattern,
    (_, before: string, namespace: string, after: string) => before + map(namespace) + after,
  );
}
