import { setImmediate } from "node:timers/promises";
import type { Interceptor } from "@connectrpc/connect";
import { itemsField, requestForMore } from "./list-pages.ts";

/** Collects the pages of a list for the protocols whose messages have to be whole. */
export const wholeLists: Interceptor = (next) => async (request) => {
  const response = await next(request);
  if (request.stream || response.stream) return response;
  let more = requestForMore(request.message, response.message);
  if (more === undefined) return response;
  const { localName } = itemsField(request.method.output);
  const itemsOf = (message: object) => (message as Record<string, unknown[]>)[localName] ?? [];
  const items = [...itemsOf(response.message)];
  while (more !== undefined && !request.signal.aborted) {
    // Other calls get their turn between the pages.
    await setImmediate();
    const page = await next({ ...request, message: more });
    if (page.stream) break;
    items.push(...itemsOf(page.message));
    more = requestForMore(more, page.message);
  }
  return { ...response, message: { ...response.message, [localName]: items, nextToken: undefined } };
};
