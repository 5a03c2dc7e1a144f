import { DrsError } from "../../engine/errors.ts";
import { allRights, type Authorize, denied, type Right } from "./right.ts";
import { type Role, roles } from "./roles.ts";

/** What a rights file grants, by the caller's name and by its groups. */
export interface Grants {
  readonly users: ReadonlyMap<string, ReadonlySet<Right>>;
  readonly groups: ReadonlyMap<string, ReadonlySet<Right>>;
}

/** Lets a caller do what is granted to its name or to one of its groups. */
export function grantedRights(grants: () => Grants): Authorize {
  return async (caller, right) => {
    const { users, groups } = grants();
    if (users.get(caller.name)?.has(right)) return;
    if (caller.groups.some((group) => groups.get(group)?.has(right))) return;
    throw denied(caller, right);
  };
}

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
  const { grants } = fields(parse(json), "the top", ["grants"]);
  for (const [index, value] of list(grants, "grants").entries()) {
    const place = `grants[${index}]`;
    const grant = fields(value, place, ["users", "groups", "roles", "rights"]);
    const words = (member: string) => texts(grant[member] ?? [], `${place}.${member}`);
    const granted = [
      ...words("roles").flatMap((role) => roles[known(role, Object.keys(roles) as Role[], `${place}.roles`)]),
      ...words("rights").map((right) => known(right, allRights, `${place}.rights`)),
    ];
    const [toUsers, toGroups] = [words("users"), words("groups")];
    if (toUsers.length + toGroups.length === 0) throw wrong(`${place} grants to nobody: name users or groups`);
    if (granted.length === 0) throw wrong(`${place} grants nothing: name roles or rights`);
    for (const [holders, names] of [
      [users, toUsers],
      [groups, toGroups],
    ] as const)
      for (const name of names) holders.set(name, new Set([...(holders.get(name) ?? []), ...granted]));
  }
  return { users, groups };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw wrong(`it is no JSON: ${String(error)}`);
  }
}

function fields(value: unknown, place: string, members: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(`${place} is no object`);
  const unknown = Object.keys(value).find((member) => !members.includes(member));
  if (unknown !== undefined)
    throw wrong(`${place} has an unknown member "${unknown}": known are ${members.join(", ")}`);
  return value as Record<string, unknown>;
}

function list(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(`${place} is no list`);
  return value;
}

function texts(value: unknown, place: string): readonly string[] {
  return list(value, place).map((text, index) => {
    if (typeof text === "string" && text !== "") return text;
    throw wrong(`${place}[${index}] is no text`);
  });
}

function known<Name extends string>(text: string, names: readonly Name[], place: string): Name {
  const name = names.find((name) => name === text);
  if (name !== undefined) return name;
  throw wrong(`${place}: there is no ${JSON.stringify(text)}; there are ${names.join(", ")}`);
}

function wrong(text: string): DrsError {
  return new DrsError("INVALID_ARGUMENT", text);
}
