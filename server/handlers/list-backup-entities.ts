import type { Handler, ServerContext } from "../context.ts";

export function listBackupEntities({ engine }: ServerContext): Handler<"listBackupEntities"> {
  return async () => ({ items: [...(await engine.listBackupEntities())] });
}
