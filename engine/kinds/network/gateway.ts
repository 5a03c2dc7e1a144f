import type { KindRules } from "../kind-rules.ts";
import { firmly, loosely } from "../reference.ts";

const group = ".gateway.networking.k8s.io";
const definitions = "customresourcedefinitions.apiextensions.k8s.io";

export const gateway: KindRules = {
  name: `gateways${group}`,
  references({ spec }) {
    const { gatewayClassName } = (spec ?? {}) as { gatewayClassName?: string };
    return [firmly(gatewayClass.name, gatewayClassName), loosely(definitions, gatewayClass.name)];
  },
};

export const gatewayClass: KindRules = {
  name: `gatewayclasses${group}`,
  read: "get",
  noteNeeds: (_object, { need }) => need(definitions, gatewayClass.name),
  users: [{ apiVersion: "gateway.networking.k8s.io/v1", resource: "gateways" }],
  wave: "cluster",
};

/** Whether a kind, by its resource name, is one of the Gateway API: calls come in from outside through its objects. */
export function isOfGatewayApi(kind: string): boolean {
  return kind.endsWith(group);
}
