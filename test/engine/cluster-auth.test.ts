import { expect, test } from "vitest";
import { ClusterAuth } from "../../engine/cluster-auth.ts";
import type { User } from "../../engine/model.ts";
import { type Asked, apiServer, reply, status } from "./kubernetes/api-server.ts";

const user = { username: "system:serviceaccount:ops:nightly", uid: "u", groups: ["system:serviceaccounts"] };
const right = { verb: "create", group: "drs.cloudera.com", resource: "backups" };
const audiences = ["drs", "other"];

/** What the API server says to a token review. */
type TokenStatus = { authenticated?: boolean; audiences?: string[]; user?: object; error?: string };

async function authTo(answer: (asked: Asked, count: number) => [status: number, body: unknown] | undefined) {
  let now = Date.parse("2026-11-24T00:00:00Z");
  const { cluster, asked } = await apiServer((one, response, count) => {
    const answered = answer(one, count);
    if (answered) reply(response, ...answered);
    else response.destroy();
  });
  const auth = new ClusterAuth(cluster, () => new Date(now));
  return { auth, asked, pass: (seconds: number) => (now += seconds * 1_000) };
}

const reviewing = (status: TokenStatus) => authTo(() => [201, { status }]);

test("a token's user is asked for with the audiences, and comes with all that the cluster knows of it", async () => {
  const extra = { "authentication.kubernetes.io/pod-name": ["nightly-0"] };
  const { auth, asked } = await reviewing({ authenticated: true, audiences: ["drs"], user: { ...user, extra } });
  expect(await auth.authenticateToken("secret", audiences)).toEqual({ ...user, extra });
  expect(asked[0]).toMatchObject({ method: "POST", path: "/apis/authentication.k8s.io/v1/tokenreviews" });
  expect(JSON.parse(asked[0]?.body ?? "")).toMatchObject({ kind: "TokenReview", spec: { token: "secret", audiences } });
});

test.each<[string, TokenStatus]>([
  ["says no", { authenticated: false, error: "[invalid bearer token]" }],
  ["says nothing", {}],
  ["means its own audience", { authenticated: true, audiences: ["https://kubernetes.default.svc"], user }],
  ["knows of no audiences", { authenticated: true, user }],
  ["names nobody", { authenticated: true, audiences: ["drs"], user: {} }],
])("a token is nobody's when the cluster %s", async (_, status) => {
  const { auth } = await reviewing(status);
  expect(await auth.authenticateToken("secret", audiences)).toBeUndefined();
});

test("an answer counts for half a minute, be it yes or no, and for one token and its audiences", async () => {
  const { auth, asked, pass } = await authTo(({ body }) => {
    const authenticated = body.includes('"good"');
    return [201, { status: { authenticated, audiences: ["drs"], user } }];
  });
  const ask = async () => [
    await auth.authenticateToken("good", audiences),
    await auth.authenticateToken("bad", audiences),
  ];
  expect(await ask()).toEqual([user, undefined]);
  pass(29);
  expect(await ask()).toEqual([user, undefined]);
  expect(asked).toHaveLength(2);
  pass(2);
  expect(await ask()).toEqual([user, undefined]);
  expect(asked).toHaveLength(4);
  await auth.authenticateToken("good", ["other"]);
  expect(asked).toHaveLength(5);
});

test("callers with the same token share one question, and guessed tokens are few at a time and push no good one out", async () => {
  let underWay = 0;
  let most = 0;
  const cluster = {
    async authenticateToken(token: string): Promise<User | undefined> {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      asked.push(token);
      return token === "good" ? user : undefined;
    },
    isAllowedTo: () => Promise.resolve(false),
  };
  const asked: string[] = [];
  const auth = new ClusterAuth(cluster, () => new Date(0));
  const whose = (token: string) => auth.authenticateToken(token, audiences);
  expect(await Promise.all([whose("good"), whose("good")])).toEqual([user, user]);
  for (let guessed = 0; guessed < 2_500; guessed += 250)
    await Promise.all(Array.from({ length: 250 }, (_, number) => whose(`guess ${guessed + number}`)));
  expect(most).toBe(8);
  await whose("good");
  expect(asked.filter((token) => token === "good")).toHaveLength(1);
  await whose("guess 2499");
  expect(asked).toHaveLength(2_501);
  await whose("guess 0");
  expect(asked).toHaveLength(2_502);
});

test("so many questions wait, and none for a caller who has gone", async () => {
  const asked: string[] = [];
  const answers = Promise.withResolvers<undefined>();
  const cluster = {
    authenticateToken(token: string): Promise<undefined> {
      asked.push(token);
      return answers.promise;
    },
    isAllowedTo: () => Promise.resolve(false),
  };
  const auth = new ClusterAuth(cluster, () => new Date(0));
  const whose = (token: string, signal?: AbortSignal) => auth.authenticateToken(token, audiences, signal);
  const gone = new AbortController();
  const first = Array.from({ length: 8 }, (_, number) => whose(`first ${number}`));
  const left = Promise.allSettled(Array.from({ length: 250 }, (_, number) => whose(`left ${number}`, gone.signal)));
  const busy = { code: "UNAVAILABLE", message: expect.stringContaining("try again later") };
  await expect(whose("one more")).rejects.toMatchObject(busy);
  const shared = whose("left 0");
  gone.abort();
  const again = whose("left 1");
  answers.resolve(undefined);
  await Promise.all([...first, shared, again]);
  expect((await left).filter(({ status }) => status === "rejected")).toHaveLength(249);
  expect(asked.slice(8)).toEqual(["left 0", "left 1"]);
});

test("a cluster that does not answer is UNAVAILABLE, is not taken for a no, and is asked again", async () => {
  const { auth } = await authTo((_, count) =>
    count <= 6 ? [503, ""] : [201, { status: { authenticated: true, audiences: ["drs"], user } }],
  );
  await expect(auth.authenticateToken("secret", audiences)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(await auth.authenticateToken("secret", audiences)).toEqual(user);
});

test("a cluster that does not let the service ask is a fault of the set-up, which the error names", async () => {
  const { auth } = await authTo(() => [403, status(403, "Forbidden", "no")]);
  await expect(auth.authenticateToken("secret", audiences)).rejects.toMatchObject({
    code: "INTERNAL",
    message: expect.stringContaining("create tokenreviews.authentication.k8s.io"),
  });
  await expect(auth.isAllowed(user, right)).rejects.toMatchObject({
    code: "INTERNAL",
    message: expect.stringContaining("create subjectaccessreviews.authorization.k8s.io"),
  });
});

test("a right is asked for the user as the cluster knows it, and the answer counts for ten seconds", async () => {
  const { auth, asked, pass } = await authTo(({ body }) => [201, { status: { allowed: body.includes("create") } }]);
  const ask = async () => [await auth.isAllowed(user, right), await auth.isAllowed(user, { ...right, verb: "delete" })];
  expect(await ask()).toEqual([true, false]);
  expect(JSON.parse(asked[0]?.body ?? "")).toMatchObject({
    kind: "SubjectAccessReview",
    spec: {
      user: user.username,
      groups: user.groups,
      uid: "u",
      resourceAttributes: { verb: "create", group: "drs.cloudera.com", resource: "backups", namespace: "" },
    },
  });
  pass(9);
  await ask();
  expect(asked).toHaveLength(2);
  pass(2);
  await ask();
  expect(asked).toHaveLength(4);
});
