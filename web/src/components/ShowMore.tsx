import { type RefObject, useState } from "react";
import { flushSync } from "react-dom";
import { Button } from "./Button.tsx";

/** How many of a long list are shown: so many at first, and so many more whenever somebody asks. */
export function useFirst(step: number) {
  const [count, setCount] = useState(step);
  return { count, step, showMore: () => setCount(count + step) };
}

interface ShowMoreProps {
  readonly first: ReturnType<typeof useFirst>;
  /** How many there are in all. */
  readonly total: number;
  /** What they are: `keys`. */
  readonly what: string;
  /** Where they are shown. */
  readonly within: RefObject<HTMLElement | null>;
  /** What each of them is in there. */
  readonly each: string;
}

/** Says that a list goes on, and goes on with it: whoever asked by the keyboard is at what is new then, not behind it. */
export function ShowMore({ first: { count, step, showMore }, total, what, within, each }: ShowMoreProps) {
  if (total <= count) return null;
  const more = () => {
    flushSync(showMore);
    within.current?.querySelectorAll(each)[count]?.querySelector<HTMLElement>("a, button")?.focus();
  };
  return (
    <div className="row">
      <p>
        The first {count} of {total} {what} are shown.
      </p>
      <Button onClick={more}>Show {Math.min(step, total - count)} more</Button>
    </div>
  );
}
