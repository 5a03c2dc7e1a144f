import { expect, test } from "vitest";
import { parseRepository } from "../../engine/repository.ts";

test.each([
  ["s3:https://minio.storage.svc:9000/drs/copies", { host: "minio.storage.svc", serviceNamespace: "storage" }, 9_000],
  ["s3:http://10.0.0.7:7070/drs", { host: "10.0.0.7" }, 7_070],
  ["s3:s3.eu-west-1.amazonaws.com/drs/copies", { host: "s3.eu-west-1.amazonaws.com" }, 443],
  ["rest:https://backup.example/drs", { host: "backup.example" }, 443],
  ["sftp:drs@backup.example:/srv/drs", { host: "backup.example" }, 22],
  ["sftp://drs@10.0.0.7:2222//srv/drs", { host: "10.0.0.7" }, 2_222],
  ["azure:container:/copies", undefined, 443],
  ["b2:bucket:copies", undefined, 443],
  ["gs:bucket:/copies", undefined, 443],
])("a repository's URL says what movers must reach: %s", (url, server, port) => {
  expect(parseRepository(url)).toEqual({ url, location: url, network: { ...(server && { server }), port } });
});

test.each([
  ["claim:copies", "/drs/repository", { claim: "copies" }],
  ["claim:copies/of/cdp", "/drs/repository/of/cdp", { claim: "copies" }],
  ["nfs:nas.example:/export/drs", "/drs/repository", { nfs: { server: "nas.example", path: "/export/drs" } }],
])("a repository that movers mount is a folder for restic: %s", (url, location, volume) => {
  expect(parseRepository(url)).toEqual({ url, location, volume });
});

test.each([
  ["rest:https://user:secret@backup.example/drs", /^Put credentials into the Secret, not into the URL/],
  ["s3:https://minio.example", /^Name the bucket after the host/],
  ["rclone:remote:drs", /^Movers reach the repository from any node/],
  ["/srv/drs", /^Movers reach the repository from any node/],
  ["sftp://host", /^Name a folder after the host/],
  ["claim:copies/../keys", /^Name a claim of the movers' namespace/],
  ["nfs:nas.example", /^Name a host and a folder that it exports/],
  ["s3://bucket/drs", /^Use a restic repository's URL, such as "s3:https:/],
  ["bucket", /^Use a restic repository's URL/],
  ["", /^Use a restic repository's URL/],
])("a URL that no mover could use is refused with what to write instead: %s", (url, message) => {
  expect(() => parseRepository(url)).toThrow(message);
});
