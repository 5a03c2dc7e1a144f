import { type IncomingHttpHeaders, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface PostOptions {
  readonly method?: string;
  readonly body?: string | Buffer;
  /** Added to cdpcli's; `undefined` takes one of those away. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly ca?: Buffer;
  /** A client certificate. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Sends a request with the headers of `cdp drscp ...` and nothing else. */
export function post(url: string, path: string, options: PostOptions = {}): Promise<Reply> {
  const body = Buffer.from(options.body ?? "");
  const parameters = Buffer.from(
    '{"access_key_id": "9b2cbd4d-5b0d-4d0e-b7c5-2f6f6c3f0a11", "auth_method": "ed25519v1"}',
  );
  const headers: Record<string, string | number | undefined> = {
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "CDPCLI/0.9.164 Python/3.12.3 Linux/6.8",
    "x-altus-date": new Date().toUTCString(),
    "x-altus-auth": `${parameters.toString("base64url")}.c2lnbmF0dXJl`,
    "Content-Length": body.length,
    ...options.headers,
  };
  const sent = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const request = (url.startsWith("https:") ? httpsRequest : httpRequest)(
      new URL(path, url),
      {
        method: options.method ?? "POST",
        headers: sent,
        agent: false,
        ...(options.ca && { ca: options.ca, ALPNProtocols: ["http/1.1"] }),
        ...(options.cert && { cert: options.cert, key: options.key }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}
