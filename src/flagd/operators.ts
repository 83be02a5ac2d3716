import type { Json } from "../ports.ts";

/** How an operator of a targeting rule is used, and what it costs. */
export interface Operator {
  readonly arguments: readonly [least: number, most: number];
  /** Its arguments must stand in an array, even a single one. */
  readonly list?: true;
  /** What it answers where an operand is of a type that it cannot work with. Without it the flag fails. */
  readonly otherwise?: Json;
  /** Steps beside those of its arguments: it looks at every character or element of an operand. */
  readonly steps?: number;
  /** Its second argument is evaluated once for each element of its first one. */
  readonly iterates?: true;
  /** One of flagd's own, which must be evaluated over the context itself. */
  readonly flagd?: true;
}

const MANY = Number.POSITIVE_INFINITY;
/** Steps that stand for a look at every character of a string out of the context. */
const TEXT = 20;

const comparison: Operator = { arguments: [2, 2], otherwise: false, steps: 10 };
const ordering: Operator = { arguments: [2, 3], otherwise: false, steps: 10 };
const text: Operator = { arguments: [2, 2], steps: TEXT, flagd: true };

/**
 * Every operator that a targeting rule may use: those of JsonLogic (https://jsonlogic.com/operations.html) that flagd's
 * schema names, and flagd's own four. The engine behind flagd-core knows more, some of which write logs or throw.
 */
const TABLE: Readonly<Record<string, Operator>> = {
  var: { arguments: [1, 2] },
  missing: { arguments: [1, MANY] },
  missing_some: { arguments: [2, 2] },
  if: { arguments: [1, MANY], list: true },
  "?:": { arguments: [3, 3], list: true },
  "==": comparison,
  "===": comparison,
  "!=": { ...comparison, otherwise: true },
  "!==": { ...comparison, otherwise: true },
  "<": ordering,
  "<=": ordering,
  ">": ordering,
  ">=": ordering,
  "!": { arguments: [1, 1] },
  "!!": { arguments: [1, 1] },
  or: { arguments: [1, MANY], list: true },
  and: { arguments: [1, MANY], list: true },
  "%": { arguments: [2, 2] },
  "/": { arguments: [2, 2] },
  "*": { arguments: [1, MANY] },
  "+": { arguments: [1, MANY] },
  "-": { arguments: [1, 2] },
  max: { arguments: [1, MANY] },
  min: { arguments: [1, MANY] },
  map: { arguments: [2, 2], iterates: true, otherwise: [] },
  filter: { arguments: [2, 2], iterates: true, otherwise: [] },
  reduce: { arguments: [2, 3], iterates: true },
  all: { arguments: [2, 2], iterates: true, otherwise: false },
  some: { arguments: [2, 2], iterates: true, otherwise: false },
  none: { arguments: [2, 2], iterates: true, otherwise: true },
  merge: { arguments: [1, MANY] },
  in: { arguments: [2, 2], otherwise: false, steps: TEXT },
  cat: { arguments: [1, MANY] },
  substr: { arguments: [2, 3], otherwise: "", steps: TEXT },
  fractional: { arguments: [1, MANY], list: true, steps: TEXT, flagd: true },
  starts_with: text,
  ends_with: text,
  sem_ver: { arguments: [3, 3], list: true, steps: TEXT, flagd: true, otherwise: null },
};

export const OPERATORS: ReadonlyMap<string, Operator> = new Map(Object.entries(TABLE));

/** Steps of `cat` for each operand that is no literal: its characters are copied. */
export const CAT_STEPS = TEXT;
