/** Frames of several messages in one: many streams are sent the same of them. */
export interface Joined {
  /** Some frames as one. */
  of(frames: readonly Buffer[]): Buffer;
  /** Forgets what has been joined. To be called often, since messages are held until then. */
  clear(): void;
}

/** Creates an empty record. */
export function createJoined(): Joined {
  const byFirst = new Map<Buffer, { frames: readonly Buffer[]; whole: Buffer }>();
  return {
    of(frames) {
      const [first] = frames;
      if (first === undefined || frames.length === 1) {
        return first ?? Buffer.alloc(0);
      }
      const known = byFirst.get(first);
      if (known !== undefined && areSame(known.frames, frames)) {
        return known.whole;
      }
      const whole = Buffer.concat(frames);
      byFirst.set(first, { frames, whole });
      return whole;
    },
    clear() {
      byFirst.clear();
    },
  };
}

function areSame(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((each, index) => each === others[index]);
}
