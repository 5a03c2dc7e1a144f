import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";

/**
 * The request for what follows in the same reply: the handlers of lists give a page at a time, and a request without a
 * page size asks for all pages in one reply. Undefined when the reply is whole.
 */
export function requestForMore<Request extends Message>(request: Request, reply: Message): Request | undefined {
  const { pageSize } = request as { pageSize?: number };
  const { nextToken } = reply as { nextToken?: string };
  return pageSize === 0 && nextToken !== undefined ? { ...request, startingToken: nextToken } : undefined;
}

/** The member of a list's reply that holds the items. */
export function itemsField({ fields, typeName }: DescMessage): DescField {
  const field = fields.find(({ fieldKind }) => fieldKind === "list");
  if (field === undefined) throw new Error(`${typeName} holds no items`);
  return field;
}
