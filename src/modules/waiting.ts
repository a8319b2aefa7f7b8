/* Waiting that can be cut short. */

/** A wait that can be ended from elsewhere. */
export interface Waiting {
  /** Waits for a time in ms, or until it is woken. Without a time, until it is woken. */
  wait(ms?: number): Promise<void>;
  /** Ends the wait, or the next one. */
  wake(): void;
}

export function createWaiting(): Waiting {
  let isWoken = false;
  let end: (() => void) | undefined;
  return {
    async wait(ms) {
      if (!isWoken) {
        await new Promise<void>((resolve) => {
          const timer = ms === undefined ? undefined : setTimeout(resolve, ms).unref();
          end = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      isWoken = false;
      end = undefined;
    },
    wake() {
      isWoken = true;
      end?.();
    },
  };
}
