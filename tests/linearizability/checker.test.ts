import { describe, expect, test } from "vitest";
import { checkLinearizable, type Operation } from "./checker.ts";
import { ENVIRONMENT, type Input, type Output, sessionFaults } from "./environment.ts";

type Op = Operation<Input, Output>;
type Times = readonly [call: number, answer: number];

const env = "staging";
const read = (client: string, [call, answer]: Times, revision: number, value: string | null): Op => ({
  client,
  input: { kind: "read", env },
  output: { kind: "read", revision, value },
  call,
  return: answer,
});
const write = (
  client: string,
  [call, answer]: Times,
  expected: number | null,
  value: string,
  revision: number | "refused" | "unknown",
): Op => ({
  client,
  input: { kind: "write", env, expected, value },
  output: revision === "unknown" ? null : revision === "refused" ? { kind: "refused" } : { kind: "written", revision },
  call,
  return: revision === "unknown" ? Number.POSITIVE_INFINITY : answer,
});

const accepts = (...history: Op[]) => checkLinearizable(ENVIRONMENT, history).ok;

describe("histories that one environment can have", () => {
  const good: Readonly<Record<string, readonly Op[]>> = {
    "nothing at all": [],
    "one client, one thing after another": [
      read("a", [0, 1], 1, null),
      write("a", [2, 3], 1, "x", 2),
      read("a", [4, 5], 2, "x"),
      write("a", [6, 7], null, "y", 3),
      read("a", [8, 9], 3, "y"),
    ],
    "a read beside a write sees either": [write("a", [0, 10], null, "x", 2), read("b", [1, 2], 1, null), read("c", [3, 4], 2, "x")],
    "of two that race for the same head one is refused": [
      write("a", [0, 10], 1, "x", 2),
      write("b", [0, 10], 1, "y", "refused"),
      read("c", [11, 12], 2, "x"),
    ],
    "writers beside one another come in the order of their revisions": [
      write("a", [0, 10], null, "x", 4),
      write("b", [0, 10], null, "y", 2),
      write("c", [0, 10], null, "z", 3),
      read("d", [11, 12], 4, "x"),
    ],
    "a write that nobody was told of and that happened": [write("a", [0, 0], null, "x", "unknown"), read("b", [5, 6], 2, "x")],
    "a write that nobody was told of and that did not happen": [
      write("a", [0, 0], null, "x", "unknown"),
      read("b", [5, 6], 1, null),
      read("b", [50, 60], 1, null),
    ],
    "a write that nobody was told of and that happened long after": [
      write("a", [0, 0], null, "x", "unknown"),
      read("b", [5, 6], 1, null),
      write("b", [7, 8], null, "y", 2),
      read("c", [20, 21], 3, "x"),
    ],
    "a conditional write that nobody was told of, and that came too late": [
      write("a", [0, 0], 1, "x", "unknown"),
      write("b", [1, 2], 1, "y", 2),
      read("b", [3, 4], 2, "y"),
    ],
    "what touches may have overlapped": [write("a", [0, 5], null, "x", 2), read("b", [5, 6], 1, null)],
  };
  test.each(Object.keys(good))("%s", (name) => expect(accepts(...(good[name] ?? []))).toBe(true));
});

describe("histories that none can have", () => {
  const bad: Readonly<Record<string, readonly Op[]>> = {
    "a stale read: older than a write that was acknowledged before it began": [
      write("a", [0, 1], null, "x", 2),
      read("b", [2, 3], 1, null),
    ],
    "a lost update: both were told that theirs followed the same head": [
      read("a", [0, 1], 1, null),
      read("b", [0, 1], 1, null),
      write("a", [2, 3], 1, "x", 2),
      write("b", [4, 5], 1, "y", 2),
      read("c", [6, 7], 2, "y"),
    ],
    "a lost update: two beside one another, and both had the head": [write("a", [0, 10], 1, "x", 2), write("b", [0, 10], 1, "y", 3)],
    "a lost write: acknowledged, and gone": [write("a", [0, 1], null, "x", 2), write("b", [2, 3], null, "y", 2)],
    "reads that go back": [write("a", [0, 100], null, "x", 2), read("b", [1, 2], 2, "x"), read("c", [3, 4], 1, null)],
    "reads of two clients that disagree on an order": [
      write("a", [0, 100], null, "x", 2),
      write("b", [0, 100], null, "y", 3),
      read("c", [1, 2], 2, "x"),
      read("d", [3, 4], 2, "y"),
    ],
    "a value that nobody wrote": [read("a", [0, 1], 1, "z")],
    "the value of one revision and the number of another": [
      write("a", [0, 1], null, "x", 2),
      write("a", [2, 3], null, "y", 3),
      read("b", [4, 5], 3, "x"),
    ],
    "a refusal though the head was the one": [read("a", [0, 1], 1, null), write("a", [2, 3], 1, "x", "refused")],
    "a write that nobody was told of, seen before it was begun": [read("b", [0, 1], 2, "x"), write("a", [2, 2], null, "x", "unknown")],
    "a write that nobody was told of, seen and then gone": [
      write("a", [0, 0], null, "x", "unknown"),
      read("b", [1, 2], 2, "x"),
      read("b", [3, 4], 1, null),
    ],
    "a write that nobody was told of, happening twice": [
      write("a", [0, 0], null, "x", "unknown"),
      read("b", [1, 2], 2, "x"),
      write("b", [3, 4], null, "y", 3),
      read("b", [5, 6], 4, "x"),
    ],
    "a conditional write that nobody was told of, happening on another head": [
      write("b", [0, 1], null, "y", 2),
      write("a", [2, 2], 1, "x", "unknown"),
      read("b", [5, 6], 3, "x"),
    ],
    "a revision that is left out": [write("a", [0, 1], null, "x", 3)],
  };
  test.each(Object.keys(bad))("%s", (name) => expect(accepts(...(bad[name] ?? []))).toBe(false));
});

test("of several environments each is judged by itself, and the one at fault is named with how far it went", () => {
  const elsewhere = (operation: Op): Op => ({ ...operation, input: { ...operation.input, env: "testing" } });
  const fault = [write("a", [0, 1], null, "x", 2), read("b", [2, 3], 1, null)];
  const verdict = checkLinearizable(ENVIRONMENT, [write("a", [0, 1], null, "x", 2), ...fault.map(elsewhere), read("b", [2, 3], 2, "x")]);
  expect(verdict).toMatchObject({ ok: false, object: "testing" });
  expect(verdict.ok ? [] : verdict.longest).toHaveLength(1);
});

describe("long histories", () => {
  const CLIENTS = 8;
  const LENGTH = 400;

  /** What an environment answers that does one thing at a time, at a random moment between each call and its return. */
  function simulated(seed: number): Op[] {
    let state = seed;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const free = Array.from({ length: CLIENTS }, () => 0);
    const planned = Array.from({ length: LENGTH }, (_, index) => {
      const client = Math.floor(random() * CLIENTS);
      const call = (free[client] ?? 0) + random();
      const answer = call + random() * 10;
      free[client] = answer;
      return { client: `c${client}`, call, return: answer, at: call + random() * (answer - call), kind: random(), value: `v${index}` };
    });
    let head = { revision: 1, value: null as string | null };
    return planned
      .sort((left, right) => left.at - right.at)
      .map(({ kind, value, at: _, ...times }) => {
        const isUnknown = random() < 0.02;
        const input: Input =
          kind < 0.5
            ? { kind: "read", env }
            : { kind: "write", env, expected: kind < 0.8 ? head.revision - (kind < 0.6 ? 1 : 0) : null, value };
        const after = ENVIRONMENT.step(head, input, null) ?? head;
        const output: Output =
          input.kind === "read"
            ? { kind: "read", ...head }
            : after === head
              ? { kind: "refused" }
              : { kind: "written", revision: after.revision };
        head = after;
        return { ...times, input, output: isUnknown ? null : output, return: isUnknown ? Number.POSITIVE_INFINITY : times.return };
      });
  }

  test.each([1, 2, 3, 4, 5])("of a right environment are accepted, %s", (seed) => expect(accepts(...simulated(seed))).toBe(true));

  test.each([1, 2, 3, 4, 5])("are refused with one stale read among them, %s", (seed) => {
    const history = simulated(seed);
    // A read that is answered with what was head before the newest write that had been acknowledged when it began.
    const index = history.findIndex(({ output, call }) => {
      const before = history.filter((other) => other.output?.kind === "written" && other.return < call);
      return output?.kind === "read" && before.length > 100;
    });
    const stale = history[index] as Op;
    history[index] = { ...stale, output: { kind: "read", revision: 2, value: "v-old" } };
    expect(accepts(...history)).toBe(false);
  });
});

describe("what one client is shown", () => {
  test("never goes back, and holds what it wrote", () => {
    expect(
      sessionFaults([write("a", [0, 1], null, "x", 5), read("a", [2, 3], 5, "x"), read("b", [2, 3], 4, "w"), read("a", [4, 5], 6, "y")]),
    ).toEqual([]);
  });

  test.each([
    [
      "an own write that is not read",
      [write("a", [0, 1], null, "x", 5), read("a", [2, 3], 4, "w")],
      "a in staging reads revision 4 after it has written 5",
    ],
    ["a read that goes back", [read("a", [0, 1], 5, "x"), read("a", [2, 3], 4, "w")], "a in staging reads revision 4 after it has read 5"],
  ] as const)("is found out: %s", (_, history, fault) => expect(sessionFaults([...history])).toEqual([fault]));
});
