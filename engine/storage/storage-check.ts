import { randomUUID } from "node:crypto";
import { DrsError } from "../errors.ts";
import type { ArchiveStorage } from "./archive-storage.ts";

/** Writes a small file, reads it back and deletes it; throws what those throw, and INTERNAL when it reads otherwise. */
export async function proveUsable(storage: ArchiveStorage, signal: AbortSignal): Promise<void> {
  const key = `check-${randomUUID()}`;
  const written = Buffer.from(key);
  await storage.write(key, once(written), signal);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of await storage.read(key, signal)) chunks.push(chunk as Buffer);
    if (!Buffer.concat(chunks).equals(written)) {
      throw new DrsError("INTERNAL", `${storage.description} returns other bytes than were written`);
    }
  } finally {
    await storage.delete(key, signal);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
