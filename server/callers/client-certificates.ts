import { TLSSocket } from "node:tls";
import { DrsError } from "../../engine/errors.ts";
import type { ServerRequest } from "../http/call.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Identity } from "./identity.ts";

/** The identity in a connection's certificate; it stays the same as long as the connection lasts. */
interface Proof {
  readonly identity: Identity;
  /** In milliseconds since 1970. */
  readonly validUntil: number;
}

/**
 * Knows callers by the certificate of their TLS connection, signed by one of the authorities of `--client-ca`. As in
 * Kubernetes, the common name is the user and each organization is a group:
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates
 */
export class ClientCertificates implements Authenticator {
  readonly authMethod = "client certificate";
  /** By connection. */
  readonly #proofs = new WeakMap<object, Proof>();

  async authenticate(request: ServerRequest): Promise<Identity | undefined> {
    const connection = "stream" in request ? request.stream.session : request.socket;
    if (!connection) return undefined;
    let proof = this.#proofs.get(connection);
    if (!proof) {
      const { socket } = request;
      if (!(socket instanceof TLSSocket)) return undefined;
      proof = this.#prove(socket);
      if (!proof) return undefined;
      this.#proofs.set(connection, proof);
    }
    if (Date.now() > proof.validUntil) throw refusal("certificate has expired");
    return proof.identity;
  }

  #prove(socket: TLSSocket): Proof | undefined {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return undefined;
    if (!socket.authorized) throw refusal(String(socket.authorizationError));
    // The list of attributes, and not their text, which a crafted name could make ambiguous.
    const { subject } = socket.getPeerCertificate() as { subject: { CN?: string | string[]; O?: string | string[] } };
    if (typeof subject.CN !== "string" || subject.CN === "")
      throw refusal("certificate has no common name, or several");
    const identity = { name: subject.CN, groups: [subject.O ?? []].flat(), provenBy: this.authMethod } as const;
    return { identity, validUntil: Date.parse(certificate.validTo) };
  }
}

/** The reason is for the log. */
function refusal(reason: string): DrsError {
  return new DrsError("UNAUTHENTICATED", "the client certificate is not accepted", {
    id: "DRS-C002",
    cause: new Error(reason),
  });
}
