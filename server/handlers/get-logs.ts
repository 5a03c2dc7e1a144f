import type { Handler, ServerContext } from "../context.ts";
import { required } from "./translation.ts";

export function getLogs({ engine }: ServerContext): Handler<"getLogs"> {
  return (request) => ({ logs: engine.getLogs(required(request.crn, "crn")) });
}
