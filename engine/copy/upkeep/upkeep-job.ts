import { DrsError } from "../../errors.ts";
import type { CopyWork } from "../../jobs/deps.ts";
import type { JobContext, JobDefinition } from "../../jobs/phase.ts";
import { checkedNote, type Damage, damageNote } from "../../store/upkeep-store.ts";
import { nameFor } from "../../volumes/snapshots/snapshot-objects.ts";
import { type CopyDeps, moverPlace, timesOf } from "../copy-deps.ts";
import { hasOtherPlaces, notePlace, removeLeftovers } from "../leftovers.ts";
import { checkScript, presence, pruneScript } from "../movers/mover-scripts.ts";
import { layOut } from "../movers/mover-set.ts";
import { hasCopiesIn } from "../recorded-copies.ts";
import { type MoverEnd, removeMover, runMover } from "../movers/run-mover.ts";
import { damageIn } from "./damage.ts";

/** The key of a note: which part of the data was read last. */
export const partNote = "part";

/**
 * Looks after the repository of copies: checks that it is whole, and reads another part of its data each time; then gives back the
 * space of forgotten copies, unless it is damaged. Locks of dead movers are removed before, which are those without a sign of life for 30 minutes.
 * Either has the repository for itself: no copy of the control plane runs meanwhile, as background work is done one after the other; and
 * a restore that needs copies, or a deletion, ends the mover that it finds, which is begun again after it.
 */
export function upkeepJob(deps: CopyDeps): JobDefinition {
  return {
    phases: [
      { name: "CHECKING_COPIES", run: (context) => checkCopies(deps, context) },
      { name: "PRUNING_COPIES", run: (context) => pruneCopies(deps, context) },
    ],
    finish: (context) => removeLeftovers(deps, context),
    fail: (context) => removeLeftovers(deps, context),
    background: { isInTheWayOf: () => true },
  };
}

async function checkCopies(deps: CopyDeps, context: JobContext): Promise<void> {
  const { notes, info } = context;
  const copies = workOf(deps);
  const { repository } = copies.config;
  const part = nextPart(context, copies.config.upkeep?.parts ?? 0);
  const subset = part === undefined ? [] : [`--read-data-subset=${part.number}/${part.of}`];
  const { failure, lines } = await runExclusively(deps, context, copies, {
    name: "check",
    script: checkScript,
    args: subset,
  });
  const damage = failure === undefined ? undefined : damageIn(lines);
  if (failure !== undefined && damage === undefined)
    throw new DrsError("FAILED_PRECONDITION", `the repository ${repository} was not checked: ${failure}`, {
      id: "DRS-V015",
    });
  if (part !== undefined) notes.set(partNote, part.number);
  if (damage === undefined) {
    notes.set(checkedNote, new Date().toISOString());
    notes.clear(damageNote);
    info(
      `the repository ${repository} is whole${part === undefined ? "" : `; part ${part.number} of ${part.of} of its data was read`}`,
    );
    return;
  }
  notes.set(damageNote, damage);
  context.error("DRS-V016", "", damagedText(repository, damage));
}

function damagedText(repository: string, { text, copies }: Damage): string {
  const named = copies.map(
    ({ namespace, claim, backupUuid }) => `claim ${namespace}/${claim} of the backup ${backupUuid}`,
  );
  const of = named.length === 0 ? "" : `; damaged are the copies of ${named.join(", ")}`;
  return `the repository ${repository} is damaged, and is not pruned: ${text}${of}`;
}

async function pruneCopies(deps: CopyDeps, context: JobContext): Promise<void> {
  const { notes, info } = context;
  if (notes.get(damageNote) !== undefined) return;
  const copies = workOf(deps);
  const { failure, lines } = await runExclusively(deps, context, copies, {
    name: "prune",
    script: pruneScript,
    args: [],
  });
  if (failure !== undefined)
    throw new DrsError(
      "FAILED_PRECONDITION",
      `the space of forgotten copies in ${copies.config.repository} was not given back: ${failure}`,
      { id: "DRS-V017" },
    );
  const total = lines.findLast((line) => line.startsWith("total prune:"));
  info(`the space of forgotten copies is given back${total === undefined ? "" : ` (${total})`}`);
}

/** The part whose data is read now: the next one, but a damaged one again. */
function nextPart({ notes }: JobContext, parts: number): { readonly number: number; readonly of: number } | undefined {
  if (parts === 0) return undefined;
  const last = notes.get<number>(partNote) ?? 0;
  const isDamaged = notes.get(damageNote) !== undefined && last >= 1 && last <= parts;
  return { number: isDamaged ? last : (last % parts) + 1, of: parts };
}

async function runExclusively(
  deps: CopyDeps,
  context: JobContext,
  copies: CopyWork,
  { name, script, args }: { readonly name: string; readonly script: string; readonly args: readonly string[] },
): Promise<MoverEnd> {
  const { job, signal } = context;
  const place = await moverPlace(deps, copies, job, signal);
  if (hasOtherPlaces(context, place)) await removeLeftovers(deps, context);
  notePlace(context, place);
  const request = { cluster: deps.cluster, place, times: timesOf(copies), signal };
  await layOut(request, copies);
  const isRequired = await hasCopiesIn(copies.config.repository, deps, signal);
  const mover = {
    name: nameFor(job.uuid, place.namespace, `/${name}`),
    script,
    args: [presence(isRequired), ...args],
    isExclusive: true,
  };
  const end = await runMover(request, mover);
  await removeMover(request, mover.name, deps.limits.podsStopTimeout);
  return end;
}

/** FAILED_PRECONDITION when copies are off. */
function workOf({ copies }: CopyDeps): CopyWork {
  if (copies !== undefined) return copies;
  throw new DrsError("FAILED_PRECONDITION", "copies are off: start the service with --copies on", { id: "DRS-V005" });
}
