import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { KubernetesObject } from "../support/kubernetes-client.ts";

const tls = join(import.meta.dirname, "../../support/tls");

/** What the API server asks. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  readonly name: string;
  readonly dryRun: boolean;
  readonly object: KubernetesObject | null;
}

/** An admission webhook in this process, as one outside the control plane: reached by its URL. */
export interface WebhookServer {
  /** To be put into a configuration. */
  readonly clientConfig: { readonly url: string; readonly caBundle: string };
  close(): void;
}

/** Starts a webhook that refuses what `refuse` gives a reason for. */
export async function startWebhook(refuse: (request: AdmissionRequest) => string | undefined): Promise<WebhookServer> {
  const [key, cert] = await Promise.all([readFile(join(tls, "key.pem")), readFile(join(tls, "certificate.pem"))]);
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { request: asked } = JSON.parse(await text(request)) as { request: AdmissionRequest };
    const message = refuse(asked);
    const answer = { uid: asked.uid, allowed: message === undefined, ...(message && { status: { message } }) };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: answer }));
  };
  const server = createServer({ key, cert }, (request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    clientConfig: { url: `https://localhost:${port}/`, caBundle: cert.toString("base64") },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
