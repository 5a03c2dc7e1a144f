import { create, type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import {
  type Access,
  Access_Audit as Audit,
  Access_Callers as Callers,
  Access_Effect as Effect,
  AccessSchema,
  access,
} from "../../gen/drs/v1/options_pb.ts";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";

/** The gates' view of a method. */
export interface MethodRule {
  /** Its permitted callers: strangers too, authenticated callers, those with the right, or nobody. */
  readonly callers: "anybody" | "known" | "granted" | "nobody";
  /** The right that `granted` asks for; else empty. */
  readonly right: string;
  readonly changes: boolean;
  readonly isAudited: boolean;
}

/** Deny by default. */
const undeclared: MethodRule = { callers: "nobody", right: "", changes: true, isAudited: true };

/** The services of our own, whose methods declare themselves by the option `drs.v1.access`. */
const ownServices: readonly DescService[] = [DrscpService];

const probes = { case: "openTo", value: Callers.ANYBODY } as const;
const schema = { case: "openTo", value: Callers.KNOWN } as const;
const unaudited = { effect: Effect.READS, audit: Audit.NOTHING } as const;

/** Declarations for methods of third-party services, as if their files were ours, each by itself: a new one is undeclared. */
const othersMethods: ReadonlyMap<DescMethod, Access> = new Map(
  (
    [
      [Health.method.check, probes],
      [Health.method.list, probes],
      [Health.method.watch, probes],
      [ServerReflection.method.serverReflectionInfo, schema],
      [ServerReflectionV1Alpha.method.serverReflectionInfo, schema],
    ] as const
  ).map(([method, callers]) => [method, create(AccessSchema, { callers, ...unaudited })]),
);

/** The declaration of a method. One that declares nothing, or not all of it, is for nobody, and its calls are audited. */
export function ruleOf(method: DescMethod): MethodRule {
  const declared = hasOption(method, access) ? getOption(method, access) : othersMethods.get(method);
  const callers = declared && callersOf(declared);
  if (!callers || !isKnown(declared)) return undeclared;
  const rule = {
    callers,
    right: declared.callers.case === "right" ? declared.callers.value : "",
    changes: declared.effect === Effect.CHANGES,
    isAudited: declared.audit === Audit.EACH_CALL,
  };
  return rule.changes && (rule.callers !== "granted" || !rule.isAudited) ? undeclared : rule;
}

/** The rules of all methods of our own services. */
export const ownRules: readonly MethodRule[] = ownServices.flatMap(({ methods }) => methods.map(ruleOf));

function callersOf({ callers }: Access): "anybody" | "known" | "granted" | undefined {
  if (callers.case === "right") return callers.value === "" ? undefined : "granted";
  if (callers.value === Callers.ANYBODY) return "anybody";
  return callers.value === Callers.KNOWN ? "known" : undefined;
}

function isKnown({ effect, audit }: Access): boolean {
  const effects: readonly Effect[] = [Effect.READS, Effect.CHANGES];
  const audits: readonly Audit[] = [Audit.NOTHING, Audit.EACH_CALL];
  return effects.includes(effect) && audits.includes(audit);
}
