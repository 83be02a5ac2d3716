import { isObject } from "../../../src/json.ts";

/** What the engines of the family have in common here: each is a contract over a memory of its own. */

export type Members = Readonly<Record<string, unknown>>;

export interface Asked {
  readonly method: string;
  /** The path's parts, decoded. */
  readonly path: readonly string[];
  /** Parsed; `undefined` where there was none or it is no JSON. */
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body: Members;
  /** What the request did that its contract does not know. */
  readonly breach?: string;
}

/** An engine's contract. Its memory is plain JSON, so that it can be kept over a restart. */
export interface Contract<Memory> {
  empty(): Memory;
  answer(asked: Asked, memory: Memory): Answer;
  /** What a test tells it to do besides its contract. */
  told?(wish: Members, memory: Memory): void;
}

/** By the name of a member: the names of the types that it may be of. */
export type Shape = Readonly<Record<string, readonly string[]>>;

/** Answers as `answer` does where the body has the shape's members and no others, and says what is wrong with it otherwise. */
export function shaped(
  body: unknown,
  shape: Shape,
  answer: (body: Members) => Answer,
  refusal: (reason: string) => Members = plain,
): Answer {
  const members = isObject(body) ? body : {};
  const wrong = isObject(body)
    ? [...new Set([...Object.keys(body), ...Object.keys(shape)])].filter((name) => !fits(members, name, shape))
    : ["body"];
  if (wrong.length === 0) return answer(members);
  const reason = `unexpected: ${wrong.join(", ")}`;
  return { status: 422, body: refusal(reason), breach: reason };
}

export function noSuchRoute({ method, path }: Asked): Answer {
  const what = `${method} /${path.join("/")}`;
  return { status: 404, body: { error: `There is no ${what}.` }, breach: `no such route: ${what}` };
}

function plain(error: string): Members {
  return { error };
}

function fits(members: Members, name: string, shape: Shape): boolean {
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return Object.hasOwn(shape, name) && shape[name]?.includes(type) === true;
}
