import type { Step } from "./steps.ts";

/** How a run failed. */
export interface Failure {
  readonly steps: readonly Step[];
  /** A line for what every run begins with, and for each step that was taken. */
  readonly log: readonly string[];
  readonly error: unknown;
}

/** What of an action may be left out. */
const OPTIONAL = ["version", "secrets", "env_variables", "force", "flags", "vars", "only", "except", "label", "bump", "resolve", "expires"];

/** Of these any entry may be. */
const MAPS = ["set", "vars", "secrets", "flags", "env_variables", "environments"];

/**
 * Looks for fewer and simpler steps that fail too: drops ever smaller runs of them (Zeller's ddmin), then what each can do
 * without. What comes after the step that failed is dropped at once, which a general shrinker cannot know of.
 */
export async function reduced(
  found: Failure,
  attempt: (steps: readonly Step[]) => Promise<Failure | null>,
  until: number,
): Promise<Failure> {
  let best = found;
  const improves = async (steps: readonly Step[]): Promise<boolean> => {
    const failure = Date.now() < until ? await attempt(steps) : null;
    if (failure !== null) best = { ...failure, steps: failure.steps.slice(0, stepsTaken(failure)) };
    return failure !== null;
  };
  await improves(found.steps.slice(0, stepsTaken(found)));
  for (let size = Math.ceil(best.steps.length / 2), before = 0; size > 1 || best.steps.length !== before; ) {
    before = best.steps.length;
    for (let from = 0; from < best.steps.length; ) {
      if (!(await improves(best.steps.toSpliced(from, size)))) from += size;
    }
    size = Math.max(1, Math.floor(size / 2));
  }
  for (let index = 0; index < best.steps.length; index++) {
    for (const simpler of simplerThan(best.steps[index] as Step)) {
      await improves(best.steps.with(index, simpler(best.steps[index] as Step)));
    }
  }
  return best;
}

function stepsTaken({ log }: Failure): number {
  return Math.max(0, log.length - 1);
}

/** Changes to one step, each of which applies to what the others left. */
function simplerThan({ by, tick, twice, action }: Step): ((step: Step) => Step)[] {
  const members = Object.entries(action);
  const without = (name: string) => (step: Step) => ({ ...step, action: { ...step.action, [name]: undefined } }) as Step;
  const fewer = members.flatMap(([name, value]) => (MAPS.includes(name) ? entriesOf(value).map((entry) => withoutEntry(name, entry)) : []));
  return [
    ...(by === "ann" ? [] : [(step: Step) => ({ ...step, by: "ann" })]),
    ...(tick === 0 ? [] : [(step: Step) => ({ ...step, tick: 0 })]),
    ...(twice ? [(step: Step) => ({ ...step, twice: false })] : []),
    ...members
      .filter(([name, value]) => value !== undefined && OPTIONAL.includes(name) && action.do !== "configure")
      .map(([name]) => without(name)),
    ...fewer,
  ];
}

function entriesOf(value: unknown): string[] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

function withoutEntry(name: string, entry: string) {
  return (step: Step): Step => {
    const map = (step.action as unknown as Record<string, Record<string, unknown> | undefined>)[name];
    if (map === undefined) return step;
    const { [entry]: _, ...rest } = map;
    return { ...step, action: { ...step.action, [name]: rest } } as Step;
  };
}
