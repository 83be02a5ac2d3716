import { expect, test } from "vitest";
import { canonicalJson } from "../../src/merkle/canonical.ts";
import { applyEdits, diff, EMPTY_ROOT, NodeCache } from "../../src/merkle/index.ts";
import { type ValueRef, valueRef } from "../../src/merkle/node.ts";
import { byUtf8, loadHistory, Objects } from "./support.ts";

test("a real history replayed: each diff is what git said, each root what a build from scratch gives", async () => {
  const { base, changes } = loadHistory();
  const objects = new Objects();
  const source = new NodeCache(64 * 1024 * 1024).over(objects);
  // From scratch means from the content alone: values are hashed once, but every tree is built anew.
  const content = new Map<string, ValueRef>();
  for (const [key, value] of base) content.set(key, valueRef(canonicalJson(value)).ref);
  let { root } = await objects.edit(EMPTY_ROOT, base);
  for (const { set, remove, git } of changes) {
    const edits = new Map([...Object.entries(set), ...remove.map((key) => [key, undefined] as const)]);
    const applied = await objects.edit(root, edits);
    const found = await diff(source, root, applied.root);
    expect(found).toEqual(applied.changes);
    const keys = (wanted: (change: (typeof found)[number]) => boolean) => found.filter(wanted).map((change) => change.key);
    expect(keys(({ left }) => left === null)).toEqual([...git.added].sort(byUtf8));
    expect(keys(({ right }) => right === null)).toEqual([...git.removed].sort(byUtf8));
    expect(keys(({ left, right }) => left !== null && right !== null)).toEqual([...git.changed].sort(byUtf8));

    for (const [key, value] of Object.entries(set)) content.set(key, valueRef(canonicalJson(value)).ref);
    for (const key of remove) content.delete(key);
    const entries = Array.from(content, ([key, right]) => ({ key, left: null, right }));
    expect((await applyEdits(source, EMPTY_ROOT, new Map(), entries)).root).toBe(applied.root);
    root = applied.root;
  }
}, 120_000);
