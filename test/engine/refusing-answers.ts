import type { Intercepted } from "../../simulator/http/api-server.ts";

const status = (code: number, reason: string, message: string, headers = {}): Intercepted => ({
  status: code,
  body: { kind: "Status", code, reason, message },
  headers,
});

/** What the API server may answer a write with, in place of doing it. */
export const refusingAnswers: Readonly<Record<string, Intercepted>> = {
  "403 by a policy": status(403, "Forbidden", "policy says no"),
  "403 for want of rights": status(403, "Forbidden", 'x is forbidden: User "drs" cannot do this'),
  "409": status(409, "Conflict", "the object has been modified"),
  "422": status(422, "Invalid", "it is invalid"),
  "429": status(429, "TooManyRequests", "too many requests", { "retry-after": "1" }),
  "500": status(500, "InternalError", "etcd has lost its leader"),
  "broken off": "broken off",
  "done and broken off": "done and broken off",
};
