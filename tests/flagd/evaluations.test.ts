import { expect, test } from "vitest";
import { Evaluations } from "../../src/evaluation.ts";
import { Snapshots } from "../../src/snapshots.ts";
import { openWorld, Project } from "../domain/support.ts";

test("flags are prepared once for each content, however often and by however many they are asked for", async () => {
  const { domain } = await openWorld();
  const project = new Project(domain);
  await project.create("staging");
  await project.configure("staging", { flags: { beta: true } });
  const first = await domain.evaluations.head(project.id, "staging");
  const [second, third] = await Promise.all([
    domain.evaluations.head(project.id, "staging"),
    domain.evaluations.head(project.id, "staging"),
  ]);
  expect(second.set).toBe(first.set);
  expect(third.set).toBe(first.set);
  await project.configure("staging", { flags: { beta: false } });
  const later = await domain.evaluations.head(project.id, "staging");
  expect(later.set).not.toBe(first.set);
  expect(later.set.evaluate("beta", {})).toMatchObject({ value: false });
  await project.configure("staging", { vars: { REGION: "eu" } });
  const afterVar = await domain.evaluations.head(project.id, "staging");
  expect(afterVar.revision).toBe(later.revision + 1);
  expect(afterVar.set, "what is no flag makes no flag anew").toBe(later.set);
  await project.create("review", { base: "staging" });
  expect((await domain.evaluations.head(project.id, "review")).set).toBe(later.set);
});

test("flags are kept ready up to a bound, and those asked for longest ago are given up first", async () => {
  const { domain, store } = await openWorld();
  const project = new Project(domain);
  for (const env of ["aa", "bb", "cc"]) {
    await project.create(env);
    await project.configure(env, { flags: { [`flag-of-${env}`]: true } });
  }
  // An environment with one flag counts for two: the flag, and the place of its set.
  const evaluations = new Evaluations(new Snapshots(store), domain.heads, 4);
  const setOf = async (env: string) => (await evaluations.head(project.id, env)).set;
  const [a, b] = [await setOf("aa"), await setOf("bb")];
  expect(await setOf("aa")).toBe(a);
  await setOf("cc");
  expect(await setOf("aa")).toBe(a);
  expect(await setOf("bb")).not.toBe(b);
  const one = new Evaluations(new Snapshots(store), domain.heads, 0);
  expect((await one.head(project.id, "aa")).set).toBe((await one.head(project.id, "aa")).set);
});

test("flags that many snapshots have stay for as long as one of these is kept, and count once", async () => {
  const { domain, store } = await openWorld();
  const project = new Project(domain);
  await project.create("staging");
  await project.configure("staging", { flags: { beta: true, gamma: true } });
  // Two flags, and two snapshots that have them.
  const evaluations = new Evaluations(new Snapshots(store), domain.heads, 4);
  const setOf = async (env: string) => (await evaluations.head(project.id, env)).set;
  const first = await setOf("staging");
  for (const value of ["a", "b", "c"]) {
    await project.configure("staging", { vars: { REGION: value } });
    expect(await setOf("staging")).toBe(first);
  }
  await project.create("other");
  await project.configure("other", { flags: { delta: true, epsilon: true, zeta: true } });
  const other = await setOf("other");
  expect(await setOf("other")).toBe(other);
  const anew = await setOf("staging");
  expect(anew).not.toBe(first);
  expect(anew.evaluate("beta", {})).toMatchObject({ value: true });
});
