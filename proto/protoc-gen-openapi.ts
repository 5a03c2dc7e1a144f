import {
  create,
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  getOption,
  type JsonObject,
  ScalarType,
} from "@bufbuild/protobuf";
import type { GenExtension } from "@bufbuild/protobuf/codegenv2";
import {
  type CodeGeneratorRequest,
  CodeGeneratorResponse_Feature,
  CodeGeneratorResponseSchema,
  FeatureSet_FieldPresence,
  FileDescriptorSetSchema,
  type MethodOptions,
  TimestampSchema,
} from "@bufbuild/protobuf/wkt";
import { getComments, runNodeJs } from "@bufbuild/protoplugin";
import type { HttpRule } from "../gen/google/api/http_pb.ts";
import packageJson from "../package.json" with { type: "json" };
import { jsonErrors } from "../server/errors.ts";

/*
 * A plugin of `buf generate`: writes openapi.json, the JSON paths of the services in a file of OpenAPI 3.1
 * (https://spec.openapis.org/oas/v3.1.1.html). What protobuf's JSON mapping takes besides (null for a member that is left
 * out, numbers as strings) is not described: a client has no need of it.
 */

const serviceName = "drscp.v1.DrscpService";
const requestId = "x-altus-request-id";

runNodeJs({
  name: "protoc-gen-openapi",
  version: packageJson.version,
  run: (request) =>
    create(CodeGeneratorResponseSchema, {
      supportedFeatures: BigInt(CodeGeneratorResponse_Feature.PROTO3_OPTIONAL),
      file: [{ name: "openapi.json", content: `${JSON.stringify(documentOf(request), null, 2)}\n` }],
    }),
});

function documentOf({ protoFile }: CodeGeneratorRequest): JsonObject {
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: protoFile }));
  const service = registry.getService(serviceName);
  const error = registry.getMessage("drscp.v1.Error");
  if (!service || !error) throw new Error(`${serviceName} or its Error is not among the files`);
  const schemas = new Schemas();
  const methods = service.methods.filter((method) => method.methodKind === "unary");
  const paths = Object.fromEntries(
    methods.map((method) => [pathOf(method, registry), { post: operation(method, schemas) }]),
  );
  return {
    openapi: "3.1.1",
    info: {
      title: "Data Recovery Service",
      version: packageJson.version,
      license: { name: packageJson.license, identifier: packageJson.license },
      description: commentOf(service),
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: { ...schemas.all(), Error: { ...messageSchema(error, schemas), required: ["code", "message"] } },
      responses: Object.fromEntries([...jsonErrors].map(([status, codes]) => [`Error${status}`, refusal(codes)])),
      headers: { [requestId]: { ...requestIdHeader, required: true } },
      parameters: {
        "x-request-id": {
          name: "x-request-id",
          in: "header",
          description: "A client's own id of the call: a call that is repeated with it does nothing twice.",
          schema: requestIdHeader.schema,
        },
      },
    },
  };
}

const requestIdHeader = {
  description: "The id of the call in the service's log: the client's own x-request-id, or one made by the service.",
  schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,128}$" },
};

function pathOf(method: DescMethod, registry: FileRegistry): string {
  const rule = registry.getExtension("google.api.http") as GenExtension<MethodOptions, HttpRule> | undefined;
  const { pattern } = rule ? getOption(method, rule) : {};
  if (pattern?.case !== "post") throw new Error(`${method.name} has no path of POST`);
  return pattern.value;
}

function operation(method: DescMethod, schemas: Schemas): JsonObject {
  const { input, output, localName } = method;
  const errors = [...jsonErrors.keys()].map((status) => [
    String(status),
    { $ref: `#/components/responses/Error${status}` },
  ]);
  return {
    operationId: localName,
    description: commentOf(method),
    parameters: [{ $ref: "#/components/parameters/x-request-id" }],
    requestBody: {
      required: requiredOf(input).length > 0,
      content: { "application/json": { schema: schemas.ofRequest(input) } },
    },
    responses: { "200": reply(commentOf(output), schemas.ofReply(output)), ...Object.fromEntries(errors) },
  };
}

function refusal(codes: readonly string[]): JsonObject {
  const error = { $ref: "#/components/schemas/Error" };
  return reply(codes.join(" or "), { allOf: [error, { properties: { code: { enum: [...codes] } } }] });
}

function reply(description: string, schema: JsonObject): JsonObject {
  return {
    description,
    headers: { [requestId]: { $ref: `#/components/headers/${requestId}` } },
    content: { "application/json": { schema } },
  };
}

/** The schemas of what operations refer to, each once. */
class Schemas {
  readonly #all = new Map<string, JsonObject>();

  /** A request's: a member that is not known is refused. */
  ofRequest(message: DescMessage): JsonObject {
    return this.#refer(message.name, () => {
      const required = requiredOf(message).map(({ jsonName }) => jsonName);
      return {
        ...messageSchema(message, this),
        ...(required.length > 0 && { required }),
        additionalProperties: false,
      };
    });
  }

  /** A reply's, or a part's of it: what has no presence of its own is always written. */
  ofReply(message: DescMessage): JsonObject {
    return this.#refer(message.name, () => {
      const always = message.fields.filter(({ presence }) => presence === FeatureSet_FieldPresence.IMPLICIT);
      return { ...messageSchema(message, this), required: always.map(({ jsonName }) => jsonName) };
    });
  }

  /** An enum lies in a message that is named as the enum is known. */
  ofEnum({ parent, name, values }: DescEnum): JsonObject {
    return this.#refer(parent?.name ?? name, () => ({
      type: "string",
      enum: values.map((value) => value.name),
      description: values.map((value) => `- ${value.name}: ${commentOf(value)}`).join("\n"),
    }));
  }

  all(): JsonObject {
    return Object.fromEntries([...this.#all].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #refer(name: string, describe: () => JsonObject): JsonObject {
    if (!this.#all.has(name)) this.#all.set(name, describe());
    return { $ref: `#/components/schemas/${name}` };
  }
}

function messageSchema(message: DescMessage, schemas: Schemas): JsonObject {
  const properties = message.fields.map((field) => [
    field.jsonName,
    { ...fieldSchema(field, schemas), description: commentOf(field) },
  ]);
  return { type: "object", description: commentOf(message), properties: Object.fromEntries(properties) };
}

function fieldSchema(field: DescField, schemas: Schemas): JsonObject {
  const { message, enum: enumeration, scalar } = field;
  const one =
    message?.typeName === TimestampSchema.typeName
      ? { type: "string", format: "date-time" }
      : message
        ? schemas.ofReply(message)
        : enumeration
          ? schemas.ofEnum(enumeration)
          : scalarSchema(field, scalar);
  return field.fieldKind === "list" ? { type: "array", items: one } : one;
}

function scalarSchema(field: DescField, scalar: ScalarType | undefined): JsonObject {
  if (scalar === ScalarType.STRING) return { type: "string" };
  if (scalar === ScalarType.INT32) return { type: "integer", format: "int32" };
  throw new Error(`${field.toString()} is of a type that has no schema yet`);
}

/** The fields whose comment ends with `Required.` */
function requiredOf(message: DescMessage): readonly DescField[] {
  return message.fields.filter((field) => commentOf(field).endsWith("Required."));
}

function commentOf(described: Parameters<typeof getComments>[0]): string {
  return (getComments(described).leading ?? "").replaceAll(/^ /gm, "").trim();
}
