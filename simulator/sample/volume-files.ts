import { createHash } from "node:crypto";
import type { ClaimVolumes } from "../volumes/claim-volumes.ts";
import { mainNamespace } from "./builders.ts";
import { vaultNamespace } from "./vault.ts";

const page = 8_192;

/** What lies on the sample's volumes: path and size, or text. */
const files: readonly (readonly [namespace: string, claim: string, Readonly<Record<string, number | string>>])[] = [
  [
    mainNamespace,
    "data-cdp-embedded-db-0",
    {
      "pgdata/PG_VERSION": "17\n",
      "pgdata/postgresql.conf": "max_connections = 200\nwal_level = replica\n",
      "pgdata/global/pg_control": page,
      "pgdata/base/16384/1247": 16 * page,
      "pgdata/base/16384/1249": 64 * page,
      "pgdata/base/16384/1259": 16 * page,
      "pgdata/base/16384/16397": 128 * page,
      "pgdata/pg_wal/000000010000000000000001": 256 * page,
      "pgdata/pg_wal/archive_status/empty": 0,
    },
  ],
  [
    mainNamespace,
    "cdp-artifacts",
    {
      "charts/warehouse-1.42.0.tgz": 40_001,
      "charts/index.yaml": "entries: {}\n",
      "Zusammenfassung – Q3.txt": "größer\n",
    },
  ],
  [
    vaultNamespace,
    "data-vault-0",
    { "core/_keyring": 1_024, "core/_master": 512, "logical/6f1f/_sample": 4_096, "sys/policy/_root": 300 },
  ],
];

/** Writes the sample's files. The same name always gets the same bytes. */
export function writeVolumeFiles(volumes: ClaimVolumes): void {
  for (const [namespace, claim, contents] of files) {
    for (const [path, content] of Object.entries(contents)) {
      volumes.write(namespace, claim, path, typeof content === "string" ? content : noise(path, content));
    }
  }
}

/** Bytes that look like data: the same for the same seed. */
function noise(seed: string, length: number): Buffer {
  const block = createHash("sha512").update(seed).digest();
  const bytes = Buffer.alloc(length);
  for (let offset = 0; offset < length; offset += block.length) {
    block.writeUInt32LE(offset);
    createHash("sha512").update(block).digest().copy(bytes, offset);
  }
  return bytes;
}
