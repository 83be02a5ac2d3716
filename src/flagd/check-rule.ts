import { CONTENT } from "../limits/content.ts";
import type { Json, JsonObject } from "../ports.ts";
import { CAT_STEPS, OPERATORS, type Operator } from "./operators.ts";
import { type Shape, shapeOf } from "./rule.ts";

/** What is wrong, and where: `targeting.if[0]`. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** What evaluating a rule takes at most: steps, and the elements of the array that it may answer. */
interface Cost {
  readonly steps: number;
  readonly length: number;
}

/** Where in a rule a look is. */
interface Place {
  readonly path: string;
  readonly depth: number;
  /** Inside of what is evaluated for each element of an array. */
  readonly iterator: "reduce" | "other" | null;
}

const NOTHING: Cost = { steps: 1, length: 0 };

/**
 * What keeps a targeting rule from being evaluated: operators that do not exist, too many arguments or too few, an
 * unknown `$ref`, and rules that could take longer than one flag may, whatever the context says.
 * @param evaluators what `$ref` may name; `null` where that is not known, and any name passes
 */
export function ruleFaults(rule: Json, evaluators: JsonObject | null, path = "targeting"): readonly Fault[] {
  const check = new RuleCheck(evaluators);
  const { steps } = check.costOf(rule, { path, depth: 0, iterator: null });
  if (check.faults.length === 0 && steps > CONTENT.ruleSteps) {
    return [
      {
        path,
        message: `it may take ${steps} steps where ${CONTENT.ruleSteps} are allowed: look through one list of the context at a time, or shorten the rule`,
      },
    ];
  }
  return check.faults;
}

/** Steps that a rule in which nothing is wrong may take. */
export function ruleSteps(rule: Json, evaluators: JsonObject): number {
  return new RuleCheck(evaluators).costOf(rule, { path: "", depth: 0, iterator: null }).steps;
}

/** What was found of an evaluator, with paths that begin at it. */
interface Judgement {
  readonly cost: Cost;
  readonly faults: readonly Fault[];
}

/** Many flags may refer to an evaluator, each many times: it is looked at once for each kind of place, as long as its set is there. */
const JUDGEMENTS = new WeakMap<JsonObject, Map<string, Judgement>>();

function judgementsOf(evaluators: JsonObject): Map<string, Judgement> {
  const known = JUDGEMENTS.get(evaluators) ?? new Map<string, Judgement>();
  JUDGEMENTS.set(evaluators, known);
  return known;
}

function judgedRule(rule: Json, evaluators: JsonObject, { depth, iterator }: Place): Judgement {
  const check = new RuleCheck(evaluators);
  const cost = check.costOf(rule, { path: "", depth: depth + 1, iterator });
  return { cost, faults: check.faults };
}

class RuleCheck {
  readonly faults: Fault[] = [];
  readonly #evaluators: JsonObject | null;

  constructor(evaluators: JsonObject | null) {
    this.#evaluators = evaluators;
  }

  costOf(rule: Json, place: Place): Cost {
    if (place.depth > CONTENT.jsonDepth) return this.#fault(place, `it is nested deeper than ${CONTENT.jsonDepth} levels`);
    const shape = shapeOf(rule);
    switch (shape.kind) {
      case "literal":
        return NOTHING;
      case "list":
        return { steps: sum(this.#costs(shape.items, place).map(({ steps }) => steps)) + 1, length: shape.items.length };
      case "reference":
        return this.#reference(shape.name, place);
      case "operation":
        return this.#operation(shape, place);
      case "ambiguous":
        return this.#fault(place, `an object must hold one operator with its arguments; this one holds ${shape.members}`);
    }
  }

  #reference(name: string, place: Place): Cost {
    if (this.#evaluators === null) return NOTHING;
    const rule = Object.hasOwn(this.#evaluators, name) ? this.#evaluators[name] : undefined;
    if (rule === undefined) return this.#fault(place, `\`$ref\` names ${JSON.stringify(name)}, which is not among \`$evaluators\``);
    const use = `${place.depth} ${place.iterator} ${name}`;
    const judged = judgementsOf(this.#evaluators);
    const known = judged.get(use) ?? judgedRule(rule, this.#evaluators, place);
    judged.set(use, known);
    for (const { path, message } of known.faults) this.#fault({ path: `${place.path}.$ref${path}` }, message);
    return known.cost;
  }

  #operation({ operator, args, inList }: Extract<Shape, { kind: "operation" }>, place: Place): Cost {
    const known = OPERATORS.get(operator);
    const here = { ...place, path: `${place.path}.${operator}`, depth: place.depth + 1 };
    if (known === undefined) return this.#fault(here, `there is no operator ${JSON.stringify(operator)}`);
    const misuse = misuseOf(known, args, inList, place);
    if (misuse !== null) return this.#fault(here, misuse);
    if (place.iterator === "reduce" && (operator === "cat" || operator === "merge")) {
      return this.#fault(here, "inside of `reduce` a result could double with every element: keep to numbers and comparisons");
    }
    if (known.iterates) return this.#iteration(operator, args, here);
    const costs = this.#costs(args, here);
    // The bucketing value is looked at as often: see `preparedRule`.
    if (operator === "fractional" && costs[0] !== undefined) costs.push(...Array<Cost>(4).fill(costs[0]));
    return {
      steps: (known.steps ?? 1) + sum(costs.map(({ steps }) => steps)) + copying(operator, args),
      length: lengthOf(operator, costs),
    };
  }

  #iteration(operator: string, [list = null, body = null, ...initial]: readonly Json[], place: Place): Cost {
    const over = this.costOf(list, { ...place, path: `${place.path}[0]` });
    const iterator = operator === "reduce" || place.iterator === "reduce" ? "reduce" : "other";
    const each = this.costOf(body, { ...place, path: `${place.path}[1]`, iterator });
    const start = initial.map((rule) => this.costOf(rule, { ...place, path: `${place.path}[2]` }));
    return {
      steps: 1 + over.steps + over.length * each.steps + sum(start.map(({ steps }) => steps)),
      length: Math.max(over.length, each.length, ...start.map(({ length }) => length)),
    };
  }

  #costs(items: readonly Json[], place: Place): Cost[] {
    return items.map((item, n) => this.costOf(item, { ...place, path: `${place.path}[${n}]`, depth: place.depth + 1 }));
  }

  #fault({ path }: Pick<Place, "path">, message: string): Cost {
    if (this.faults.length < CONTENT.faults) this.faults.push({ path, message });
    return NOTHING;
  }
}

function misuseOf(
  { arguments: [least, most], list, flagd }: Operator,
  args: readonly Json[],
  inList: boolean,
  place: Place,
): string | null {
  if (list && !inList) return "its arguments must stand in an array";
  if (flagd && place.iterator !== null) return "it works on the context, and cannot be used for each element of an array";
  if (args.length >= least && args.length <= most) return null;
  const wanted = least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} or ${most}`;
  return `it takes ${wanted} argument${wanted.endsWith("1") ? "" : "s"}, and has ${args.length}`;
}

function copying(operator: string, args: readonly Json[]): number {
  return operator === "cat" ? CAT_STEPS * args.filter((arg) => typeof arg === "object" && arg !== null).length : 0;
}

/** Elements of what an operator answers: what stands in the context is as long as it may be there. */
function lengthOf(operator: string, costs: readonly Cost[]): number {
  const lengths = costs.map(({ length }) => length);
  if (operator === "var") return Math.max(CONTENT.contextElements, ...lengths);
  if (operator === "merge") return sum(lengths.map((length) => Math.max(1, length)));
  return Math.max(lengths.length, ...lengths);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
