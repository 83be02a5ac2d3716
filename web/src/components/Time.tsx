import { useSyncExternalStore } from "react";
import { ago, exactTime, timeFor } from "../time.ts";

/** One clock for the whole page, that ticks every half minute while somebody looks. */
const clock = (() => {
  let now = Date.now();
  const listeners = new Set<() => void>();
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    now: () => now,
    subscribe(listener: () => void) {
      if (listeners.size === 0) {
        now = Date.now();
        timer = setInterval(() => {
          now = Date.now();
          for (const tell of listeners) tell();
        }, 30_000);
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearInterval(timer);
      };
    },
  };
})();

/** Now, in milliseconds since 1970, as of the last half minute. */
export function useNow(): number {
  return useSyncExternalStore(clock.subscribe, clock.now);
}

/** How long ago, or how soon; the exact moment when pointed at. */
export function Ago({ at }: { readonly at: string }) {
  const ticked = useNow();
  return (
    <time dateTime={at} title={exactTime(at)}>
      {ago(at, timeFor(at, ticked, Date.now()))}
    </time>
  );
}

export function Moment({ at }: { readonly at: string }) {
  return <time dateTime={at}>{exactTime(at)}</time>;
}
