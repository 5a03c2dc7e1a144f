import type { JobContext } from "../jobs/phase.ts";

const furthestNotes = "furthest/";

/**
 * Reports progress of a job where a volume's mover has done more than in all attempts before: one that is begun again and again, and
 * comes no further, does not count.
 */
export function furthest({ notes, progressed }: JobContext, claim: string): (progress: { bytes: number }) => void {
  const key = `${furthestNotes}${claim}`;
  return ({ bytes }) => {
    if (bytes <= (notes.get<number>(key) ?? 0)) return;
    notes.set(key, bytes);
    progressed();
  };
}
