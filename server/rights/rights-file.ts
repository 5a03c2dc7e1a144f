import * as v from "valibot";
import { DrsError } from "../../engine/errors.ts";
import { filledText, jsonInShape } from "../../engine/shape.ts";
import { allRights, type Authorize, denied, type Right } from "./right.ts";
import { type Role, roles } from "./roles.ts";

/** The rights granted by a rights file, by the caller's name and by its groups. */
export interface Grants {
  readonly users: ReadonlyMap<string, ReadonlySet<Right>>;
  readonly groups: ReadonlyMap<string, ReadonlySet<Right>>;
}

/** Gives a caller the rights granted to its name or to one of its groups. */
export function grantedRights(grants: () => Grants): Authorize {
  return async (caller, right) => {
    const { users, groups } = grants();
    if (users.get(caller.name)?.has(right)) return;
    if (caller.groups.some((group) => groups.get(group)?.has(right))) return;
    throw denied(caller, right);
  };
}

const names = v.optional(v.array(filledText), []);

const grant = v.pipe(
  v.strictObject({
    users: names,
    groups: names,
    roles: v.optional(v.array(v.picklist(Object.keys(roles) as Role[])), []),
    rights: v.optional(v.array(v.picklist(allRights)), []),
  }),
  v.check(({ users, groups }) => users.length + groups.length > 0, "grants to nobody: name users or groups"),
  v.check(({ roles, rights }) => roles.length + rights.length > 0, "grants nothing: name roles or rights"),
);

const rightsFile = v.strictObject({ grants: v.array(grant) });

/**
 * Reads a rights file:
 *
 *     {"grants": [{"users": ["alice"], "groups": ["oidc:backup-operators"], "roles": ["PowerUser"], "rights": ["drscp/getLogs"]}]}
 *
 * A grant has at least one user or group, and at least one role or right. Throws INVALID_ARGUMENT that names the place.
 */
export function parseGrants(json: string): Grants {
  const users = new Map<string, Set<Right>>();
  const groups = new Map<string, Set<Right>>();
  for (const grant of parse(json).grants) {
    const granted = [...grant.roles.flatMap((role) => roles[role]), ...grant.rights];
    for (const [holders, names] of [
      [users, grant.users],
      [groups, grant.groups],
    ] as const)
      for (const name of names) holders.set(name, new Set([...(holders.get(name) ?? []), ...granted]));
  }
  return { users, groups };
}

function parse(json: string): v.InferOutput<typeof rightsFile> {
  try {
    return jsonInShape(rightsFile, json, "the file");
  } catch (cause) {
    throw new DrsError("INVALID_ARGUMENT", (cause as Error).message, { cause });
  }
}
