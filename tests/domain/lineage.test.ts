import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Relation } from "../../src/checks.ts";
import type { Documents } from "../../src/heads.ts";
import { keys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import { commonAncestors, type Lineage, newLine, nextOnLine } from "../../src/lineage.ts";
import { EMPTY_ROOT } from "../../src/merkle/index.ts";
import type { Revision, RevisionRef } from "../../src/model.ts";
import { mergeBase, relate } from "../../src/relation.ts";

/** One revision of a generated history: what `lineage.ts` says of it beside what it really descends from. */
interface Node extends RevisionRef {
  readonly time: number;
  readonly parents: readonly Node[];
  readonly lineage: Lineage;
}

const name = ({ env, revision }: RevisionRef) => `${env}@${revision}`;

/** A history as the domain makes them: environments that are created, edited, promoted and rolled back. */
class History {
  readonly nodes: Node[] = [];
  readonly #environments = new Map<string, Node[]>();

  step(kind: "create" | "branch" | "edit" | "promote" | "rollback", a: number, b: number): void {
    const source = this.#pick(a);
    const target = this.#pick(b);
    if (source === undefined || target === undefined || kind === "create") this.#create(null);
    else if (kind === "branch") this.#create(source);
    else if (kind === "edit") this.#next(target, [target]);
    else if (kind === "rollback") this.#restore(target, a);
    else if (source.env !== target.env) this.#next(target, [target, source]);
  }

  #next(head: Node, parents: readonly Node[]): void {
    const self = { env: head.env, revision: head.revision + 1 };
    const merged = parents.filter((parent) => parent !== head).map(({ lineage }) => lineage);
    this.#add(self, parents, nextOnLine(head.lineage, self, merged));
  }

  #restore(head: Node, index: number): void {
    const history = this.#environments.get(head.env) as Node[];
    const restored = history[index % history.length] as Node;
    const self = { env: head.env, revision: head.revision + 1 };
    this.#add(self, [restored], newLine([restored.lineage], self));
  }

  #create(base: Node | null): void {
    const self = { env: `env-${this.#environments.size}`, revision: 1 };
    this.#environments.set(self.env, []);
    this.#add(self, base === null ? [] : [base], newLine(base === null ? [] : [base.lineage], self));
  }

  #add(self: RevisionRef, parents: readonly Node[], lineage: Lineage): void {
    const node = { ...self, time: this.nodes.length, parents, lineage };
    this.nodes.push(node);
    this.#environments.get(self.env)?.push(node);
  }

  /** The head of one of the environments. */
  #pick(index: number): Node | undefined {
    const environments = [...this.#environments.values()];
    return environments[index % environments.length]?.at(-1);
  }

  documents(time: (node: Node) => number = (node) => node.time): Documents {
    const stored = new Map(this.nodes.map((node) => [keys.revision(node.env, node.revision), revisionOf(node, time(node))]));
    return {
      project: "pf-777",
      async getAll<Value>(wanted: readonly string[]) {
        return wanted.map((key) => (stored.get(key) ?? null) as Value | null);
      },
    };
  }
}

function revisionOf(node: Node, time = node.time): Revision {
  const timestamp = new Date(time).toISOString();
  return { env: node.env, revision: node.revision, lineage: node.lineage, timestamp } as Revision;
}

/** The oracle: a walk over all parents. A revision is an ancestor of itself. */
function ancestors(node: Node, found = new Set<Node>()): Set<Node> {
  if (found.has(node)) return found;
  found.add(node);
  for (const parent of node.parents) ancestors(parent, found);
  return found;
}

function newestCommon(left: Node, right: Node): Node | null {
  const ofRight = ancestors(right);
  const common = [...ancestors(left)].filter((node) => ofRight.has(node));
  return common.reduce<Node | null>((newest, node) => (newest === null || node.time > newest.time ? node : newest), null);
}

const kinds = fc.constantFrom(
  "create" as const,
  "branch" as const,
  "edit" as const,
  "edit" as const,
  "promote" as const,
  "promote" as const,
  "rollback" as const,
);

function histories(minLength: number, maxLength: number) {
  const steps = fc.array(fc.tuple(kinds, fc.nat({ max: 1_000 }), fc.nat({ max: 1_000 })), { minLength, maxLength, size: "max" });
  return steps.map((list) => {
    const history = new History();
    for (const step of list) history.step(...step);
    return history;
  });
}

function linesOf({ nodes }: History): number {
  return new Set(nodes.flatMap(({ lineage }) => lineage.map(([line]) => line))).size;
}

describe("with as many lines of descent as are remembered, or fewer", () => {
  test("the newest common ancestor by lineage is that of a walk over all parents", async () => {
    await fc.assert(
      fc.asyncProperty(histories(1, LIMITS.lineage), fc.nat(), fc.nat(), async (history, a, b) => {
        expect(linesOf(history)).toBeLessThanOrEqual(LIMITS.lineage);
        const { nodes } = history;
        const left = nodes[a % nodes.length] as Node;
        const right = nodes[b % nodes.length] as Node;
        const found = await mergeBase(history.documents(), revisionOf(left), revisionOf(right));
        const expected = newestCommon(left, right);
        expect(found && name(found)).toBe(expected && name(expected));
      }),
      { numRuns: 1_500 },
    );
  });

  test("every candidate is a common ancestor", () => {
    fc.assert(
      fc.property(histories(2, LIMITS.lineage), fc.nat(), fc.nat(), ({ nodes }, a, b) => {
        const left = nodes[a % nodes.length] as Node;
        const right = nodes[b % nodes.length] as Node;
        const common = new Set([...ancestors(left)].filter((node) => ancestors(right).has(node)).map(name));
        for (const candidate of commonAncestors(left.lineage, right.lineage)) expect(common).toContain(name(candidate));
      }),
      { numRuns: 500 },
    );
  });

  test("of revisions of one millisecond, none is taken that another common ancestor descends from", async () => {
    await fc.assert(
      fc.asyncProperty(
        histories(2, LIMITS.lineage),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 50 }),
        async (history, a, b, together) => {
          const { nodes } = history;
          const left = nodes[a % nodes.length] as Node;
          const right = nodes[b % nodes.length] as Node;
          const found = await mergeBase(
            history.documents(({ time }) => Math.floor(time / together)),
            revisionOf(left),
            revisionOf(right),
          );
          const ofRight = ancestors(right);
          const common = [...ancestors(left)].filter((node) => ofRight.has(node));
          const base = common.find((node) => found !== null && name(node) === name(found)) ?? null;
          expect(base === null).toBe(common.length === 0);
          for (const node of common)
            if (node !== base && base !== null) expect(ancestors(node).has(base), `${name(node)} is newer than ${name(base)}`).toBe(false);
        },
      ),
      { numRuns: 1_500 },
    );
  });
});

test("beyond that number, what is found is still a common ancestor, and never a newer one than there is", async () => {
  await fc.assert(
    fc.asyncProperty(histories(LIMITS.lineage, 400), fc.nat(), fc.nat(), async (history, a, b) => {
      const { nodes } = history;
      const left = nodes[nodes.length - 1 - (a % Math.min(20, nodes.length))] as Node;
      const right = nodes[nodes.length - 1 - (b % Math.min(20, nodes.length))] as Node;
      for (const { lineage } of nodes) expect(lineage.length).toBeLessThanOrEqual(LIMITS.lineage);
      const found = await mergeBase(history.documents(), revisionOf(left), revisionOf(right));
      if (found === null) return;
      expect([...ancestors(left)].map(name)).toContain(name(found));
      expect([...ancestors(right)].map(name)).toContain(name(found));
    }),
    { numRuns: 60 },
  );
});

describe("relate", () => {
  const platform = (root: string | null) => ({ platform: root ?? EMPTY_ROOT }) as Revision;

  test.each<readonly [source: string | null, target: string | null, base: string | null | undefined, relation: Relation]>([
    ["a", "a", "a", "identical"],
    ["b", "b", "a", "identical"],
    ["a", "a", undefined, "identical"],
    [null, null, undefined, "identical"],
    ["b", "a", "a", "source_ahead"],
    [null, "a", "a", "source_ahead"],
    ["a", null, undefined, "source_ahead"],
    ["a", "b", "a", "target_ahead"],
    [null, "b", undefined, "target_ahead"],
    ["b", "c", "a", "diverged"],
    ["b", null, "a", "diverged"],
    ["a", "b", undefined, "diverged"],
  ])("source %j, target %j, common ancestor %j: %s", (source, target, base, relation) => {
    expect(relate(platform(source), platform(target), base === undefined ? null : platform(base))).toBe(relation);
  });
});
