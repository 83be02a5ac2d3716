/** One segment of the paths that begin alike. */
interface Step<Found> {
  readonly literals: Map<string, Step<Found>>;
  parameter: Step<Found> | null;
  /** What stands at the end of a path, and what the path calls its parameters, in their order. */
  end: { readonly found: Found; readonly names: readonly string[] } | null;
}

export interface PathMatch<Found> {
  readonly found: Found;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Finds what stands at a path as the router would: a segment that is some path's own word is that word and no parameter. Where the
 * words lead nowhere, nothing is found; the router may still know a way.
 *
 * @example
 * const index = new PathIndex([["/env/create", 1], ["/env/:project", 2]]);
 * index.find("/env/pf-777"); // { found: 2, params: { project: "pf-777" } }
 */
export class PathIndex<Found> {
  readonly #root: Step<Found> = emptyStep();

  constructor(entries: Iterable<readonly [path: string, found: Found]>) {
    for (const [path, found] of entries) this.#add(path.slice(1).split("/"), found);
  }

  /** @param path without a query, each of its segments as plain text */
  find(path: string): PathMatch<Found> | null {
    const values: string[] = [];
    let step: Step<Found> = this.#root;
    for (let from = 1, end = 0; end !== path.length; from = end + 1) {
      const slash = path.indexOf("/", from);
      end = slash < 0 ? path.length : slash;
      const segment = path.slice(from, end);
      const literal = step.literals.get(segment);
      const next = literal ?? step.parameter;
      if (next === null || segment === "") return null;
      if (literal === undefined) values.push(segment);
      step = next;
    }
    if (step.end === null) return null;
    const params: Record<string, string> = {};
    const { found, names } = step.end;
    for (let index = 0; index < names.length; index++) params[names[index] ?? ""] = values[index] ?? "";
    return { found, params };
  }

  #add(segments: readonly string[], found: Found): void {
    let step = this.#root;
    for (const segment of segments) step = segment.startsWith(":") ? parameterOf(step) : literalOf(step, segment);
    step.end = { found, names: segments.filter((segment) => segment.startsWith(":")).map((segment) => segment.slice(1)) };
  }
}

function emptyStep<Found>(): Step<Found> {
  return { literals: new Map(), parameter: null, end: null };
}

function parameterOf<Found>(step: Step<Found>): Step<Found> {
  step.parameter ??= emptyStep();
  return step.parameter;
}

function literalOf<Found>(step: Step<Found>, word: string): Step<Found> {
  const known = step.literals.get(word) ?? emptyStep<Found>();
  step.literals.set(word, known);
  return known;
}
