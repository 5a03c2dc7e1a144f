import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { type ApiClient, ApiError } from "../support/api-client.ts";
import type { SigningKey } from "../support/cdp-signer.ts";
import { privateHalf } from "./private-key.ts";

export interface CdpClient {
  /** The program. */
  readonly cdp: string;
  /** The home of its user, with nobody's configuration. */
  readonly home: string;
  readonly endpointUrl: string;
  /** What it is to trust. */
  readonly caBundle: string;
  /** Its variables: what it proves itself by, and settings. */
  readonly environment: Readonly<Record<string, string>>;
}

/** An access key as the environment gives it to `cdp`: a private half that is PEM is in a file. */
export function accessKey(key: SigningKey, home: string): Readonly<Record<string, string>> {
  let half = privateHalf(key);
  if (key.method !== "ed25519v1") {
    const file = join(home, `${key.id}.pem`);
    writeFileSync(file, half, { mode: 0o600 });
    half = file;
  }
  return { CDP_ACCESS_KEY_ID: key.id, CDP_PRIVATE_KEY: half };
}

/** Calls by `cdp drscp <method>`, a process for each. What `cdp` refuses by itself, without a request, is INVALID_ARGUMENT too. */
export function cdpClient({ cdp, home, endpointUrl, caBundle, environment }: CdpClient): ApiClient {
  const env = { PATH: process.env["PATH"], HOME: home, NO_PROXY: "*", ...environment };
  return (method, request) => {
    const options = ["--endpoint-url", endpointUrl, "--ca-bundle", caBundle, ...parameters(request)];
    return new Promise((resolve, reject) => {
      execFile(cdp, ["drscp", kebabCase(method), ...options], { env }, (error, stdout, stderr) => {
        if (!error) return resolve(JSON.parse(stdout) as JsonObject);
        const [, message, code] =
          /An error occurred: (.*) \(Status Code: \d+; Error Code: (\w+); .*\)/s.exec(stderr) ?? [];
        if (message !== undefined && code !== undefined) return reject(new ApiError(code, message));
        if (stderr.includes("Parameter validation failed")) return reject(new ApiError("INVALID_ARGUMENT", stderr));
        reject(new Error(`${stdout}\n${stderr}`, { cause: error }));
      });
    });
  };
}

/** A flag for each member, as a person would type it. A flag cannot say that a list is empty, JSON can. */
function parameters(request: JsonObject): string[] {
  const json = ["--cli-input-json", JSON.stringify(request)];
  const flags = Object.entries(request).flatMap(([name, value]) => {
    const values = [value].flat().map(String);
    return values.length > 0 ? [`--${kebabCase(name)}`, ...values] : json;
  });
  return flags.length > 0 ? flags : json;
}

function kebabCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
