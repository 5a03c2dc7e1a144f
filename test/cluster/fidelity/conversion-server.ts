import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import type { KubernetesObject } from "../support/kubernetes-client.ts";

const run = promisify(execFile);

/** https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion */
interface ConversionRequest {
  readonly uid: string;
  readonly desiredAPIVersion: string;
  readonly objects: readonly KubernetesObject[];
}

/** A conversion webhook in this process: what an application of a control plane would answer. */
export interface ConversionServer {
  readonly port: number;
  readonly caBundle: string;
  close(): void;
}

/** Starts it under the name of a service (`converter.cdp.svc`). Its certificate lies in the folder. It answers while `isUp` says so. */
export async function startConversion(
  serviceName: string,
  folder: string,
  isUp: () => Promise<boolean>,
): Promise<ConversionServer> {
  const [keyFile, certFile] = [join(folder, `${serviceName}.key`), join(folder, `${serviceName}.crt`)];
  const names = ["-subj", `/CN=${serviceName}`, "-addext", `subjectAltName=DNS:${serviceName}`];
  await run("openssl", [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    keyFile,
    "-out",
    certFile,
    ...names,
  ]);
  const [key, cert] = await Promise.all([readFile(keyFile), readFile(certFile)]);
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { request: asked } = JSON.parse(await text(request)) as { request: ConversionRequest };
    if (!(await isUp())) return void response.writeHead(503).end();
    const convertedObjects = asked.objects.map((object) => ({ ...object, apiVersion: asked.desiredAPIVersion }));
    const review = { uid: asked.uid, result: { status: "Success" }, convertedObjects };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ apiVersion: "apiextensions.k8s.io/v1", kind: "ConversionReview", response: review }));
    return undefined;
  };
  const server = createServer({ key, cert }, (request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: cert.toString("base64"),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
