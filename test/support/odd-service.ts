import {
  create,
  createFileRegistry,
  type DescService,
  type Message,
  type MessageInitShape,
  setExtension,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  type MethodDescriptorProto,
  MethodDescriptorProtoSchema,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { createClient, type HandlerContext, type Transport } from "@connectrpc/connect";
import { access, AccessSchema } from "../../gen/drs/v1/options_pb.ts";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { HttpRuleSchema } from "../../gen/google/api/http_pb.ts";
import type { ServedService } from "../../server/services/served-service.ts";

/** What the methods take and give. */
export interface Odd {
  readonly crn: string;
  readonly text: string;
}

/** A method that the service does not have. */
export interface OddMethod {
  /** `DoIt`; its JSON path is `/api/v1/odd/DoIt`. */
  readonly name: string;
  readonly streams?: boolean;
  /** Missing: it declares nothing. */
  readonly declares?: MessageInitShape<typeof AccessSchema>;
}

export type OddHandler = (
  request: Message & Odd,
  context: HandlerContext,
) => Partial<Odd> | AsyncIterable<Partial<Odd>>;

/** A service `odd.v1.OddService` of such methods, as if it had come from a .proto file. */
export function oddService(methods: readonly OddMethod[]): DescService {
  const common = { type: Type.STRING, label: Label.OPTIONAL };
  const field = ["crn", "text"].map((name, index) => ({ name, number: index + 1, ...common }));
  const file = create(FileDescriptorProtoSchema, {
    name: "odd/v1/odd.proto",
    package: "odd.v1",
    syntax: "proto3",
    messageType: [{ name: "Odd", field }],
    service: [{ name: "OddService", method: methods.map(methodOf) }],
  });
  const service = createFileRegistry(file, () => undefined).getService("odd.v1.OddService");
  if (!service) throw new Error("no odd service");
  return service;
}

/** @param handlers By the methods' local names, `doIt`. */
export function oddServed(service: DescService, handlers: Readonly<Record<string, OddHandler>>): ServedService {
  return { service, implementation: handlers as unknown as ServedService["implementation"] };
}

type Calls<Reply> = Readonly<Record<string, (request: Partial<Odd>, options?: { signal: AbortSignal }) => Reply>>;

export function oddClient(service: DescService, transport: Transport): Calls<Promise<Odd>> {
  return createClient(service, transport);
}

/** The same for methods that stream. */
export function oddStreams(service: DescService, transport: Transport): Calls<AsyncIterable<Odd>> {
  return createClient(service, transport);
}

function methodOf({ name, streams = false, declares }: OddMethod): MethodDescriptorProto {
  const options = create(MethodOptionsSchema);
  const pattern = { case: "post", value: `/api/v1/odd/${name}` } as const;
  setExtension(options, http, create(HttpRuleSchema, { pattern, body: "*" }));
  if (declares) setExtension(options, access, create(AccessSchema, declares));
  const type = ".odd.v1.Odd";
  const kind = { inputType: type, outputType: type, serverStreaming: streams };
  return create(MethodDescriptorProtoSchema, { name, ...kind, options });
}
