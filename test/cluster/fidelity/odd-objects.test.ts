import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, type SmallControlPlane } from "./support.ts";

const longestName = `${"n".repeat(63)}.${"o".repeat(63)}.${"p".repeat(63)}.${"q".repeat(61)}`;
/** The API server's limit for a config map's or a secret's values together. */
const mebibyte = 2 ** 20;

const manifests = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: oddities.odd.example.com }
spec:
  group: odd.example.com
  scope: Namespaced
  names: { kind: Oddity, plural: oddities }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: { type: object, nullable: true, x-kubernetes-preserve-unknown-fields: true }
            status: { type: object, x-kubernetes-preserve-unknown-fields: true }
`;

/** JSON as text: what a parser would round or drop must come back. */
const oddities: Readonly<Record<string, string>> = {
  numbers: `{"large":9007199254740993,"least":-9223372036854775808,"most":9223372036854775807,"fraction":0.1,"tiny":1e-7}`,
  nothing: `{"emptyMap":{},"emptyList":[],"emptyText":"","null":null,"nested":{"null":null,"list":[null,{},[]]}}`,
  texts: `{"emoji":"🌍 Grüß Gott 世界","rtl":"\\u202eabc","zero":"a\\u0000b","quotes":"\\"\\\\/\\n\\t","ключ":"значение","__proto__":"p"}`,
  nullSpec: `null`,
};
let plane: SmallControlPlane;
let before: Readonly<Record<string, string>>;

beforeAll(async () => {
  plane = await aControlPlane("fidelity-odd", manifests);
  await plane.cluster.kubectl("wait", "--for=condition=Established", "crd/oddities.odd.example.com");
  for (const [name, spec] of Object.entries(oddities)) await post("odd.example.com/v1/oddities", "Oddity", name, spec);
  await post("v1/configmaps", "ConfigMap", longestName);
  await post("v1/secrets", "Secret", longestName);
  const large = `"data":{"large":"${"ü".repeat(mebibyte / 2 - 2)}"}`;
  await post("v1/configmaps", "ConfigMap", "large", undefined, large);
  const bytes = Buffer.alloc(mebibyte, 0xff).toString("base64");
  await post("v1/secrets", "Secret", "large", undefined, `"data":{"large":"${bytes}"}`);
  const claim = `{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Mi"}}}`;
  await post("v1/persistentvolumeclaims", "PersistentVolumeClaim", longestName, claim);
  await plane.until("v1/persistentvolumeclaims", longestName, ({ status }) => status?.phase === "Bound");
  before = await texts();
  await plane.backUp();
});

afterAll(async () => plane?.remove());

test("odd names, values, sizes and numbers come back to the last byte", async () => {
  await plane.kubectl("delete", "--all", "oddities,configmaps,secrets");
  const { warnings, errors } = await plane.restore();
  expect({ warnings, errors }).toEqual({ warnings: [], errors: [] });

  const after = await texts();
  expect(Object.keys(before).filter((name) => after[name] !== before[name])).toEqual([]);
  const claim = await plane.get("v1/persistentvolumeclaims", longestName);
  expect(claim["status"].phase).toBe("Bound");
});

/** The specs and data in the API server's own text. */
async function texts(): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  const names = [
    ...Object.keys(oddities).map((name) => ["odd.example.com/v1/oddities", name.toLowerCase(), "spec"] as const),
    ...["v1/configmaps", "v1/secrets"].map((kind) => [kind, "large", "data"] as const),
    ...["v1/configmaps", "v1/secrets"].map((kind) => [kind, longestName, "metadata"] as const),
  ];
  for (const [kind, name, field] of names) {
    const text = await plane.cluster.kubernetes.request("GET", plane.path(kind, name));
    found[`${kind} ${name}`] = field === "metadata" ? "" : text.slice(text.indexOf(`,"${field}":`));
  }
  return found;
}

async function post(kind: string, kindName: string, name: string, spec?: string, more?: string): Promise<void> {
  const apiVersion = kind.slice(0, kind.lastIndexOf("/"));
  const parts = [
    `"apiVersion":"${apiVersion}","kind":"${kindName}","metadata":{"name":"${name.toLowerCase()}"}`,
    ...(spec === undefined ? [] : [`"spec":${spec}`]),
    ...(more === undefined ? [] : [more]),
  ];
  await plane.cluster.kubernetes.request("POST", plane.path(kind), { body: `{${parts.join(",")}}` });
}
