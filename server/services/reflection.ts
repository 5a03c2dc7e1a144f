import { create, createRegistry, type DescFile, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as ServerReflectionV1Alpha,
  type ServerReflectionResponse as ServerReflectionResponseV1Alpha,
} from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";

import { served, type ServedService } from "./served-service.ts";

type MessageResponse = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** gRPC server reflection, v1 and v1alpha, of the services of the given files. */
export function reflection(files: readonly DescFile[]): readonly ServedService[] {
  const answer = answerer(files);
  const v1 = served(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield answer(request);
    },
  });
  const v1Alpha = served(ServerReflectionV1Alpha, {
    async *serverReflectionInfo(requests) {
      // The two versions are the same on the wire; only the type's name differs.
      for await (const request of requests) {
        const { messageResponse } = answer({
          ...request,
          $typeName: "grpc.reflection.v1.ServerReflectionRequest",
        } as never);
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse,
        } as ServerReflectionResponseV1Alpha;
      }
    },
  });
  return [v1, v1Alpha];
}

function answerer(files: readonly DescFile[]): (request: ServerReflectionRequest) => ServerReflectionResponse {
  const byName = withImports(files);
  const types = createRegistry(...byName.values());
  const services = files.flatMap((file) => file.services.map((service) => service.typeName)).sort();

  const answer = ({ messageRequest: { case: kind, value } }: ServerReflectionRequest): MessageResponse => {
    switch (kind) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
      case "fileByFilename":
        return fileResponse(byName.get(value));
      case "fileContainingSymbol": // a type, or a member of one: package.Service.Method
        return fileResponse((types.get(value) ?? types.get(value.slice(0, Math.max(0, value.lastIndexOf(".")))))?.file);
      case "fileContainingExtension": {
        const extendee = types.getMessage(value.containingType);
        return fileResponse(extendee && types.getExtensionFor(extendee, value.extensionNumber)?.file);
      }
      case "allExtensionNumbersOfType":
      case undefined:
        return failure(Code.Unimplemented, `${kind ?? "this request"} is not supported`);
    }
  };
  return (request) =>
    create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: answer(request),
    });
}

function fileResponse(file: DescFile | undefined): MessageResponse {
  if (!file) return failure(Code.NotFound, "no such file or symbol");
  const files = [...withImports([file]).values()];
  return {
    case: "fileDescriptorResponse",
    value: { fileDescriptorProto: files.map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)) },
  };
}

function failure(errorCode: Code, errorMessage: string): MessageResponse {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** The files and all that they import, imports first, by file name. */
function withImports(files: readonly DescFile[], seen = new Map<string, DescFile>()): Map<string, DescFile> {
  for (const file of files) {
    if (seen.has(file.proto.name)) continue;
    withImports(file.dependencies, seen);
    seen.set(file.proto.name, file);
  }
  return seen;
}
