import { registerHooks } from "node:module";
import { expect, test } from "vitest";
import { loadClientLibrary } from "../../../../engine/kubernetes/connection/client-library.ts";

test("of Kubernetes' client library the generated API clients are not loaded, and the rest works", async () => {
  const loaded: string[] = [];
  const hooks = registerHooks({
    load(url, context, next) {
      loaded.push(url);
      return next(url, context);
    },
  });
  const { KubeConfig, Exec } = await loadClientLibrary();
  hooks.deregister();
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: "it", server: "https://127.0.0.1:1", skipTLSVerify: false },
    { name: "me", token: "secret" },
  );
  const options: { headers?: unknown } = {};
  await config.applyToHTTPSOptions(options);
  expect(options.headers).toEqual({ Authorization: "Bearer secret" });
  expect(new Exec(config)).toHaveProperty("exec");
  const ofLibrary = loaded.filter((url) => url.includes("/@kubernetes/client-node/dist/"));
  expect(ofLibrary.some((url) => url.endsWith("/config.js"))).toBe(true);
  expect(ofLibrary.filter((url) => /\/gen\/(apis|models|types)\//.test(url))).toEqual([]);
});
