/**
 * The items of some sources, one source after the other; the next few are begun already while one is read, so that their
 * first answers are there in time. However it ends, every source that was begun is closed.
 */
export async function* readAhead<T>(sources: Iterable<AsyncGenerator<T>>, ahead: number): AsyncGenerator<T> {
  const waiting = sources[Symbol.iterator]();
  const begun: { readonly source: AsyncGenerator<T>; readonly first: Promise<IteratorResult<T>> }[] = [];
  const begin = () => {
    const next = waiting.next();
    if (next.done === true) return;
    const first = next.value.next();
    first.catch(() => undefined); // it is met when its turn comes
    begun.push({ source: next.value, first });
  };
  for (let count = 0; count <= ahead; count++) begin();
  try {
    for (let current = begun[0]; current; begun.shift(), current = begun[0]) {
      for (let step = await current.first; step.done !== true; step = await current.source.next()) yield step.value;
      begin();
    }
  } finally {
    await Promise.all(begun.map(({ source }) => source.return(undefined)));
  }
}
