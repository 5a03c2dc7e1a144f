import { gzipSync } from "node:zlib";
import { type DescField, type DescMessage, fromJson, type JsonObject, ScalarType, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import type { Arbitrary } from "fast-check";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";

/** A request as it is put on the wire; HTTP's own framing is left to the client. */
export interface FuzzRequest {
  readonly http: 1 | 2;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const methods = Object.values(DrscpService.method);
const otherPaths = [
  "/",
  "/api/v1/drscp",
  "/api/v1/drscp/",
  "/api/v1/drscp/createBackup/",
  "/grpc.health.v1.Health/Check",
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  "/drscp.v1.DrscpService",
  "/drscp.v1.DrscpService/NoSuchMethod",
];

/** Text of every kind: odd characters, halves of surrogate pairs, very long. */
const oddText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom(
    "\0",
    "\uFFFF",
    "\uD800",
    "a\uDFFFb",
    "../../etc/passwd",
    "'; DROP TABLE backup; --",
    "%00",
    "${jndi:ldap://x}",
  ),
  fc.integer({ min: 1_000, max: 100_000 }).map((length) => "x".repeat(length)),
);

const hugeNumbers = fc.constantFrom(
  "1e999",
  "-1e999",
  "9".repeat(400),
  "0.1e-400",
  "2147483648",
  "-2147483649",
  "1.5",
  "-0",
  "01",
  "0x10",
  "NaN",
);

/** Values of members, as a client would write them for the most part. `crns`: some that exist. */
function memberValue(field: DescField, crns: readonly string[]): Arbitrary<unknown> {
  if (field.fieldKind === "list") return fc.array(singleValue(field, crns), { maxLength: 8 });
  return singleValue(field, crns);
}

function singleValue(field: DescField, crns: readonly string[]): Arbitrary<unknown> {
  const isOfDeletion = field.parent.name === "DeleteBackupRequest"; // what exists is needed by other calls
  const crn = isOfDeletion ? unknownCrn : fc.oneof(fc.constantFrom(...crns), unknownCrn);
  const usual: Arbitrary<unknown> = field.enum
    ? fc.constantFrom(...field.enum.values.map(({ name }) => name), "NO_SUCH_STATE", 3, 99)
    : field.scalar === ScalarType.INT32
      ? fc.oneof(fc.integer({ min: -5, max: 2_000 }), fc.integer(), fc.maxSafeInteger())
      : /crn$/i.test(field.name)
        ? crn
        : fc.constantFrom("", "nightly", "cdp", "kube-system");
  return fc.oneof(
    { weight: 6, arbitrary: usual },
    { weight: 2, arbitrary: oddText },
    { weight: 1, arbitrary: fc.jsonValue() },
  );
}

const unknownCrn = fc
  .tuple(fc.constantFrom("backup", "restore", "deleteBackup", "user"), fc.uuid())
  .map(([type, uuid]) => `crn:altus:drs:us-west-1:00000000-0000-0000-0000-000000000000:${type}:${uuid}`);

function requestObject(message: DescMessage, crns: readonly string[]): Arbitrary<JsonObject> {
  const members = Object.fromEntries(message.fields.map((field) => [field.jsonName, memberValue(field, crns)]));
  return fc.record(members, { requiredKeys: [] }) as Arbitrary<JsonObject>;
}

/** How often an element comes in a list: up to what the longest request holds of the shortest elements, and more. */
const listLength = fc.constantFrom(1_000, 80_000, 500_000, 600_000);

/** For each list of a message, a request that has one element very often. */
function longLists(message: DescMessage, list: (field: DescField, length: number) => Buffer): Arbitrary<Buffer>[] {
  const lists = message.fields.filter(({ fieldKind }) => fieldKind === "list");
  return lists.map((field) => listLength.map((length) => list(field, length)));
}

function longJsonLists(message: DescMessage): Arbitrary<Buffer>[] {
  return ['"COMPLETED"', '"NO_SUCH_STATE"', "3", "{}"].flatMap((element) =>
    longLists(message, ({ jsonName }, length) =>
      Buffer.from(`{"${jsonName}":[${`${element},`.repeat(length - 1)}${element}]}`),
    ),
  );
}

/** Packed, an element a byte, as numbers are: https://protobuf.dev/programming-guides/encoding/#packed */
function longBinaryLists(message: DescMessage): Arbitrary<Buffer>[] {
  return [3, 99].flatMap((element) =>
    longLists(message, ({ number }, half) => {
      const length = 2 * half;
      const head = [(number << 3) | 2, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14];
      return Buffer.concat([Buffer.from(head), Buffer.alloc(length, element)]);
    }),
  );
}

/** Few have long ones, as each of these costs as much time as a hundred others. */
function withLongLists(short: Arbitrary<Buffer>, long: readonly Arbitrary<Buffer>[]): Arbitrary<Buffer> {
  if (long.length === 0) return short;
  return fc.oneof({ weight: 30, arbitrary: short }, { weight: 1, arbitrary: fc.oneof(...long) });
}

/** JSON of a request: valid for the most part, or of wrong types, deep, with members given twice, or not JSON at all. */
function jsonBody(message: DescMessage, crns: readonly string[]): Arbitrary<Buffer> {
  const valid = requestObject(message, crns).map((object) => JSON.stringify(object));
  const member = fc.constantFrom(
    ...message.fields.map(({ jsonName }) => jsonName),
    "unknown",
    "__proto__",
    "constructor",
  );
  const deep = fc
    .tuple(fc.constantFrom("[", '{"a":'), fc.constantFrom(10, 1_000, 100_000), fc.boolean())
    .map(([open, depth, isClosed]) => open.repeat(depth) + (isClosed ? (open === "[" ? "]" : "0}").repeat(depth) : ""));
  const ofMember = (value: Arbitrary<string>) => fc.tuple(member, value).map(([name, text]) => `{"${name}":${text}}`);
  const twice = fc.tuple(member, fc.json(), fc.json()).map(([name, a, b]) => `{"${name}":${a},"${name}":${b}}`);
  const text = fc.oneof(
    { weight: 8, arbitrary: valid },
    { weight: 2, arbitrary: ofMember(fc.json()) },
    { weight: 1, arbitrary: ofMember(hugeNumbers) },
    { weight: 1, arbitrary: fc.oneof(deep, ofMember(deep)) },
    { weight: 1, arbitrary: twice },
    { weight: 1, arbitrary: fc.oneof(fc.json(), oddText) },
  );
  return damaged(
    withLongLists(
      text.map((json) => Buffer.from(json)),
      longJsonLists(message),
    ),
  );
}

/** A request as protobuf's bytes, valid for the most part. */
function binaryBody(message: DescMessage, crns: readonly string[]): Arbitrary<Buffer> {
  const valid = requestObject(message, crns).map((object) => {
    try {
      return Buffer.from(toBinary(message, fromJson(message, object)));
    } catch {
      return Buffer.from(JSON.stringify(object)); // of a wrong type
    }
  });
  const short = fc.oneof({ weight: 8, arbitrary: valid }, { weight: 2, arbitrary: bytes(300) });
  return damaged(withLongLists(short, longBinaryLists(message)));
}

function bytes(maxLength: number): Arbitrary<Buffer> {
  return fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
}

/** The bytes as they are for the most part; else cut, changed at a place, or with something put in between. */
function damaged(whole: Arbitrary<Buffer>): Arbitrary<Buffer> {
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const damage = fc
    .tuple(whole, place, bytes(8), fc.constantFrom("cut", "overwrite", "insert"))
    .map(([body, at, put, how]) => {
      const index = Math.floor(at * body.length);
      if (how === "cut") return body.subarray(0, index);
      return Buffer.concat([
        body.subarray(0, index),
        put,
        body.subarray(how === "insert" ? index : index + put.length),
      ]);
    });
  return fc.oneof({ weight: 3, arbitrary: whole }, { weight: 1, arbitrary: damage });
}

/** A message in the frame of gRPC and gRPC-Web, its flags and length right for the most part. */
function framed(message: Arbitrary<Buffer>): Arbitrary<Buffer> {
  const flags = fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(1, 2, 0x80, 0x81, 0xff) },
  );
  const off = fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(-1, 1, 1_000, 0x7fffffff) },
  );
  const frame = fc.tuple(message, flags, off, fc.boolean()).map(([body, flag, difference, isZipped]) => {
    const content = flag === 1 && isZipped ? gzipSync(body) : body;
    const head = Buffer.alloc(5, flag);
    head.writeUInt32BE(Math.max(content.length + difference, 0), 1);
    return Buffer.concat([head, content]);
  });
  const several = fc.array(frame, { maxLength: 3 }).map((frames) => Buffer.concat(frames));
  return damaged(fc.oneof({ weight: 8, arbitrary: frame }, { weight: 1, arbitrary: several }));
}

const contentTypes = [
  "application/json",
  "application/json; charset=utf-8",
  "APPLICATION/JSON",
  "application/proto",
  "application/grpc",
  "application/grpc+proto",
  "application/grpc+json",
  "application/grpc-web+proto",
  "application/grpc-web-text",
  "application/connect+json",
  "text/plain",
  "multipart/form-data; boundary=x",
  ";;;",
  "",
];
const encodings = ["identity", "gzip", "br", "deflate", "zstd", "nonsense", "gzip, gzip", ""];
const timeouts = ["0", "1", "5000", "-1", "99999999999999", "x", "1n", "50u", "5S", "99999999H", ""];
/** Those that make a call another one than it was are not among them: see `retryable`. */
const knownHeaders: Readonly<Record<string, Arbitrary<string>>> = {
  "content-type": fc.constantFrom(...contentTypes),
  "content-encoding": fc.constantFrom(...encodings),
  "accept-encoding": fc.constantFrom(...encodings),
  "grpc-encoding": fc.constantFrom(...encodings),
  "grpc-accept-encoding": fc.constantFrom(...encodings),
  "connect-content-encoding": fc.constantFrom(...encodings),
  "connect-accept-encoding": fc.constantFrom(...encodings),
  "connect-protocol-version": fc.constantFrom("1", "2", "", "x"),
  "connect-timeout-ms": fc.constantFrom(...timeouts),
  "grpc-timeout": fc.constantFrom(...timeouts),
  "x-altus-date": fc.oneof(fc.constant(new Date(0).toUTCString()), headerValue()),
  authorization: headerValue(),
  cookie: headerValue(),
  origin: headerValue(),
  "x-forwarded-for": headerValue(),
};

function headerValue(): Arbitrary<string> {
  return fc.string({
    unit: fc
      .integer({ min: 0x21, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCodePoint(code)),
    maxLength: 200,
  });
}

/** What is put over a request's own headers. */
const oddHeaders: Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record(knownHeaders, { requiredKeys: [] }).map(few) },
  { weight: 1, arbitrary: fc.dictionary(fc.stringMatching(/^x-[a-z0-9-]{1,30}$/), headerValue(), { maxKeys: 20 }) },
);

function few(headers: Partial<Record<string, string>>): Record<string, string> {
  const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(given.slice(0, 3));
}

/** A client's id of its call: the same ones again and again, so that the same jobs are asked for, and few are made. */
const retryable = fc.constantFrom("fuzz-1", "fuzz-2", "fuzz-3").map((id) => ({ "x-request-id": id }));

const httpMethod = fc.oneof(
  { weight: 12, arbitrary: fc.constant("POST") },
  { weight: 1, arbitrary: fc.constantFrom("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND") },
);

function rpcPath(name: string): Arbitrary<string> {
  const path = `/${DrscpService.typeName}/${name}`;
  return elsewhereAtTimes(path);
}

function elsewhereAtTimes(path: string): Arbitrary<string> {
  const query = fc.webQueryParameters().map((text) => `${path}?${text}`);
  const any = fc.webPath().map((text) => `/${text.replace(/^\/+/, "")}`);
  return fc.oneof(
    { weight: 20, arbitrary: fc.constant(path) },
    { weight: 1, arbitrary: query },
    { weight: 1, arbitrary: any },
    { weight: 1, arbitrary: fc.constantFrom(...otherPaths) },
  );
}

/** A request on any protocol, over HTTP/1.1 or HTTP/2. `crns`: of jobs that exist. */
export function fuzzRequest(crns: readonly string[]): Arbitrary<FuzzRequest> {
  const perMethod = methods.flatMap(({ name, localName, input }) => {
    const json = jsonBody(input, crns);
    const binary = binaryBody(input, crns);
    const rpc = rpcPath(name);
    return [
      {
        weight: 3,
        arbitrary: request(elsewhereAtTimes(`/api/v1/drscp/${localName}`), json, "application/json", [1, 2]),
      },
      { weight: 1, arbitrary: request(rpc, json, "application/json", [1, 2]) },
      { weight: 1, arbitrary: request(rpc, binary, "application/proto", [1, 2]) },
      { weight: 1, arbitrary: request(rpc, framed(binary), "application/grpc-web+proto", [1, 2]) },
      { weight: 1, arbitrary: request(rpc, framed(json), "application/grpc-web+json", [1, 2]) },
      { weight: 2, arbitrary: request(rpc, framed(binary), "application/grpc", [2]) },
    ];
  });
  return fc.oneof(...perMethod);
}

function request(
  path: Arbitrary<string>,
  body: Arbitrary<Buffer>,
  contentType: string,
  versions: readonly (1 | 2)[],
): Arbitrary<FuzzRequest> {
  return fc
    .record({ http: fc.constantFrom(...versions), method: httpMethod, path, body, odd: oddHeaders, id: retryable })
    .map(({ odd, id, ...rest }) => ({
      ...rest,
      headers: { "content-type": contentType, te: "trailers", ...odd, ...id },
    }));
}

/** Bytes that are a request of HTTP/1.1 or the begin of HTTP/2, damaged. */
export function fuzzBytes(crns: readonly string[]): Arbitrary<Buffer> {
  const http1 = fuzzRequest(crns).map(({ method, path, headers, body }) => {
    const lines = Object.entries({ host: "localhost", ...headers, "content-length": body.length });
    const head = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
    return Buffer.concat([Buffer.from(head, "latin1"), body]);
  });
  const http2 = bytes(200).map((rest) => Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), rest]));
  const hit = fc.tuple(fc.oneof(http1, http1, http2), fc.nat(200), bytes(8)).map(([whole, at, put]) => {
    // Near the begin, where HTTP's own words are.
    const index = Math.min(at, whole.length);
    return Buffer.concat([whole.subarray(0, index), put, whole.subarray(index + put.length)]);
  });
  return fc.oneof(hit, bytes(500));
}
