import { type RestorePhase, restorePhases } from "../../../engine/model.ts";
import type { KubernetesObject } from "../support/kubernetes-client.ts";
import type { Dice } from "./dice.ts";
import { object } from "./objects.ts";
import type { Answer } from "./policy-server.ts";

/** When something happens: before the backup, between it and the restore, or some time after a phase of the restore begins. */
export type Moment = "before backup" | "before restore" | { readonly phase: RestorePhase; readonly afterMs: number };

/** A rule of others that judges what is done in the world's namespaces. */
export interface Policy {
  readonly kind: "admission policy" | "webhook" | "Pod Security" | "quota" | "limit range";
  readonly appears: Moment;
  /** Undefined: it stays. */
  readonly changes?: { readonly to: Answer | "gone"; readonly afterMs: number };
  readonly answer: Answer;
  readonly operations: readonly string[];
  readonly resources: readonly string[];
  /** What an admission policy wants, as CEL. */
  readonly wants: string;
  /** Of Pod Security. */
  readonly level: "restricted" | "baseline";
}

const judged = [
  ["configmaps"],
  ["secrets"],
  ["deployments", "statefulsets", "daemonsets"],
  ["deployments"],
  ["pods"],
  ["services", "ingresses", "networkpolicies"],
  ["persistentvolumeclaims"],
  ["jobs", "cronjobs"],
  ["serviceaccounts", "roles", "rolebindings"],
  ["configmaps", "secrets", "deployments", "statefulsets", "services", "jobs", "serviceaccounts"],
];

export function aPolicy(dice: Dice): Policy {
  const answer = dice.pick<Answer>([403, 403, 422, 422, 500, "time-out"]);
  const isOutage = answer === 500 || answer === "time-out";
  const appears = dice.pick<Moment>([
    "before backup",
    "before restore",
    "before restore",
    { phase: dice.pick(restorePhases), afterMs: dice.between(0, 400) },
  ]);
  // What does not answer is away for a while only: a job may wait for it.
  const to = isOutage
    ? dice.pick<Answer | "gone">(["gone", "allow", 403])
    : dice.pick<Answer | "gone">(["gone", "allow", 422]);
  const isPassing = isOutage || dice.percent(50);
  return {
    kind: isOutage
      ? "webhook"
      : dice.pick(["admission policy", "admission policy", "webhook", "Pod Security", "quota", "limit range"]),
    appears,
    ...(isPassing && { changes: { to, afterMs: dice.between(500, 6_000) } }),
    answer,
    operations: dice.pick([["CREATE"], ["CREATE", "UPDATE"], ["UPDATE"], ["DELETE"]]),
    resources: dice.pick(judged),
    wants: dice.pick([
      "false",
      "request.operation != 'CREATE' || (has(object.metadata.labels) && 'team' in object.metadata.labels)",
      "request.operation == 'DELETE' || !object.metadata.name.endsWith('1')",
      "request.operation == 'DELETE' || !has(object.spec) || !has(object.spec.replicas) || object.spec.replicas >= 2",
    ]),
    level: dice.pick(["restricted", "baseline"]),
  };
}

/** What makes an admission policy heeded in a namespace. https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ */
export function admissionPolicy(name: string, namespace: string, policy: Policy): readonly KubernetesObject[] {
  const api = "admissionregistration.k8s.io/v1";
  return [
    object(api, "ValidatingAdmissionPolicy", name, undefined, {
      spec: {
        failurePolicy: "Fail",
        matchConstraints: { resourceRules: rulesOf(policy) },
        validations: [
          {
            expression: policy.operations.includes("DELETE") ? "false" : policy.wants,
            message: "not by the rules of this house",
            reason: policy.answer === 403 ? "Forbidden" : "Invalid",
          },
        ],
      },
    }),
    object(api, "ValidatingAdmissionPolicyBinding", name, undefined, {
      spec: { policyName: name, validationActions: ["Deny"], matchResources: { namespaceSelector: only(namespace) } },
    }),
  ];
}

export function webhook(name: string, namespace: string, policy: Policy, clientConfig: object): KubernetesObject {
  return object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", name, undefined, {
    webhooks: [
      {
        name: "house.example.com",
        clientConfig,
        rules: rulesOf(policy),
        failurePolicy: "Fail",
        sideEffects: "None",
        timeoutSeconds: 1,
        admissionReviewVersions: ["v1"],
        namespaceSelector: only(namespace),
      },
    ],
  });
}

function rulesOf({ operations, resources }: Policy): readonly object[] {
  return [{ apiGroups: ["*"], apiVersions: ["*"], operations, resources }];
}

function only(namespace: string): object {
  return { matchLabels: { "kubernetes.io/metadata.name": namespace } };
}
