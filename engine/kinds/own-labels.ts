/** Set on everything this service makes in the cluster; the value is the job's uuid. */
export const jobLabel = "drs.cloudera.com/job";

/** The label that a stopped daemon set asks of its nodes, and none has. */
export const stoppedLabel = "drs.cloudera.com/stopped";

/**
 * Marks the role bindings that give the service its rights in a namespace: they are neither saved nor deleted, or a restore
 * would take its own rights away.
 */
export const ownRightsLabel = "drs.cloudera.com/own-rights";
