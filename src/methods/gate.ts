/** Lets in as much at once as fits. */
export interface Gate {
  /** Resolves when there is room; then `leave` makes room for others. */
  enter(size: number): Promise<() => void>;
}

/** After what time one that has entered no longer counts, in ms, so that slow ones do not hold up the others. */
const slowMs = 1_000;

/** Creates an open gate. */
export function createGate(maxSize: number): Gate {
  const waiting: { readonly size: number; readonly resolve: () => void }[] = [];
  let inside = 0;
  const admit = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (inside > 0 && inside + next.size > maxSize) {
        return;
      }
      waiting.shift();
      inside += next.size;
      next.resolve();
    }
  };
  return {
    async enter(size) {
      await new Promise<void>((resolve) => {
        waiting.push({ size, resolve });
        admit();
      });
      let isInside = true;
      const leave = (): void => {
        if (isInside) {
          isInside = false;
          clearTimeout(timer);
          inside -= size;
          admit();
        }
      };
      const timer = setTimeout(leave, slowMs).unref();
      return leave;
    },
  };
}
