import type { DescService } from "@bufbuild/protobuf";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";

const services: readonly DescService[] = [Health, ServerReflection, ServerReflectionV1Alpha];

/** The rpcs that may go on for as long as the client likes: watches of health, and reflection. */
export const streamingPaths: ReadonlySet<string> = new Set(
  services.flatMap(({ typeName, methods }) =>
    methods.filter(({ methodKind }) => methodKind !== "unary").map(({ name }) => `/${typeName}/${name}`),
  ),
);
