import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keys } from "../../src/keys.ts";
import { Ledger } from "../../src/ledger.ts";
import { canonicalJson } from "../../src/merkle/index.ts";
import type { AuditRecord } from "../../src/model.ts";
import type { Json, JsonObject, Key } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { MemoryBackend } from "../../src/storage/memory.ts";
import type { Project as ProjectDocument } from "../../src/transaction.ts";
import { auditHash } from "../../src/transaction.ts";
import { auditRecords, caller, codeOf, document, openWorld, PROJECT, Project, tamper, type World } from "./support.ts";

/** Ten records by two people on two environments. */
async function world(): Promise<World> {
  const world = await openWorld();
  const ben = new Project(world.domain, { as: caller("ben") });
  await world.project.create("staging", { env_variables: { REGION: "eu", API_KEY: "sk-1" } });
  await world.project.set("staging", { "flows/a": { on: true } });
  await world.project.create("production", { base: "staging" });
  await ben.configure("staging", { vars: { REGION: "us" } });
  await ben.set("staging", { "flows/b": {} });
  await world.project.promote("staging", "production");
  await ben.rollback("production", 1);
  await ben.secrets("production");
  await world.project.policy({ environments: { production: { protected: true } } });
  await world.domain.deployments.report(ben.caller, { project: PROJECT, env: "production", version: "v0.2.0", status: "deployed" });
  return world;
}

/** The documents that tampering changes: as they are, and put back after each attempt. */
async function logOf({ store }: World): Promise<{ readonly key: Key; readonly record: AuditRecord }[]> {
  return (await auditRecords(store)).map((record) => ({ key: keys.audit(record.seq), record }));
}

test("every change of a project is told, in order, and the chain verifies", async () => {
  const { domain, store } = await world();
  const records = await auditRecords(store);
  expect(records.map(({ action, actor, environment }) => `${action} ${environment ?? "-"} ${actor}`)).toEqual([
    "create staging ann",
    "update staging ann",
    "create production ann",
    "config staging ben",
    "update staging ben",
    "promote production ann",
    "rollback production ben",
    "reveal production ben",
    "policy - ann",
    "deployment production ben",
  ]);
  const head = `10:${records.at(-1)?.hash}`;
  expect(await domain.audit.verify(PROJECT, null)).toEqual({ valid: true, records: 10, head });
  expect(await domain.audit.verify(PROJECT, head)).toMatchObject({ valid: true });
  expect(await domain.audit.verify(PROJECT, `4:${records[3]?.hash}`)).toMatchObject({ valid: true });
});

test("a record is stored as the canonical JSON of all of it, whatever its details hold", async () => {
  const backend = new MemoryBackend();
  const ledger = new Ledger(checked(backend));
  const json = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>;
  const name = fc.oneof(fc.constantFrom("prev_hash", "hash", ',"prev_hash":', "action"), fc.string());
  const details = fc.dictionary(name, fc.oneof(json, name)) as fc.Arbitrary<JsonObject>;
  await fc.assert(
    fc.asyncProperty(details, name, async (details, environment) => {
      const record = await ledger.write(PROJECT, caller(environment), (tx) => tx.audit({ action: "hold", environment, details }));
      const [stored] = await backend.get(PROJECT, [keys.audit(record.seq)]);
      expect(stored?.value).toBe(canonicalJson(record as unknown as Json));
    }),
  );
});

describe("tampering is found", () => {
  test("of any member of any record", async () => {
    const tampered = await world();
    const { domain, store } = tampered;
    for (const { key, record } of await logOf(tampered)) {
      for (const [member, value] of Object.entries(record)) {
        const forged: Json =
          typeof value === "number" ? value + 1 : typeof value === "string" ? `${value}x` : value === null ? "x" : { forged: true };
        await tamper(store, { put: { [key]: { ...record, [member]: forged } as unknown as Json } });
        expect(await domain.audit.verify(PROJECT, null), `${member} of record ${record.seq}`).toMatchObject({ valid: false });
      }
      const { details, ...rest } = record;
      await tamper(store, { put: { [key]: rest as unknown as Json } });
      expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: false });
      await tamper(store, { put: { [key]: { ...record, extra: details } as unknown as Json } });
      expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: false, broken_at: record.seq });
      await tamper(store, { put: { [key]: record as unknown as Json } });
    }
    expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true });
  });

  test("of one record whose own hash was made to fit", async () => {
    const { domain, store } = await world();
    const { hash, ...body } = (await auditRecords(store))[4] as AuditRecord;
    const forged = { ...body, actor: "mallory" };
    await tamper(store, { put: { [keys.audit(5)]: { ...forged, hash: auditHash(forged) } as unknown as Json } });
    expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: false, broken_at: 6 });
  });

  test("by deletion of any one record", async () => {
    const tampered = await world();
    const { domain, store } = tampered;
    for (const { key, record } of await logOf(tampered)) {
      await tamper(store, { remove: [key] });
      expect(await domain.audit.verify(PROJECT, null), key).toMatchObject({ valid: false });
      await tamper(store, { put: { [key]: record as unknown as Json } });
    }
  });

  test("by a swap of any two records, with or without their numbers", async () => {
    const tampered = await world();
    const { domain, store } = tampered;
    const log = await logOf(tampered);
    for (const [index, { key, record }] of log.entries()) {
      for (const other of log.slice(index + 1)) {
        for (const renumber of [true, false]) {
          const first = renumber ? { ...other.record, seq: record.seq } : other.record;
          const second = renumber ? { ...record, seq: other.record.seq } : record;
          await tamper(store, { put: { [key]: first as unknown as Json, [other.key]: second as unknown as Json } });
          expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: false });
        }
        await tamper(store, { put: { [key]: record as unknown as Json, [other.key]: other.record as unknown as Json } });
      }
    }
    expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true });
  });

  test("by cutting the tail, where the log's end is not rewritten with it", async () => {
    const { domain, store } = await world();
    await tamper(store, { remove: [keys.audit(10), keys.audit(9)] });
    expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: false, reason: "the log ends at record 8, not at 10" });
  });

  test("by cutting the tail and rewriting the log's end, to whoever expects more", async () => {
    const { domain, store } = await world();
    const [kept, cut] = (await auditRecords(store)).slice(7, 9) as [AuditRecord, AuditRecord];
    const project = await document<ProjectDocument>(store, keys.project);
    const audit = { seq: kept.seq, hash: kept.hash, at: kept.at };
    await tamper(store, { put: { [keys.project]: { ...project, audit } as unknown as Json }, remove: [keys.audit(10), keys.audit(9)] });
    expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true, records: 8 });
    expect(await domain.audit.verify(PROJECT, `9:${cut.hash}`)).toMatchObject({ valid: false, broken_at: 8 });
    expect(await domain.audit.verify(PROJECT, `8:${kept.hash}`)).toMatchObject({ valid: true });
  });

  test("by replacing the whole log with another that is consistent, to whoever expects the old one", async () => {
    const { domain, store } = await world();
    const { hash: remembered } = (await auditRecords(store))[2] as AuditRecord;
    let previous = "0".repeat(64);
    const forged: Record<Key, Json> = {};
    for (const { hash, ...body } of await auditRecords(store)) {
      const record = { ...body, actor: "mallory", prev_hash: previous };
      previous = auditHash(record);
      forged[keys.audit(body.seq)] = { ...record, hash: previous } as unknown as Json;
    }
    const project = await document<ProjectDocument>(store, keys.project);
    forged[keys.project] = { ...project, audit: { ...project.audit, hash: previous } } as unknown as Json;
    await tamper(store, { put: forged });
    expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true });
    expect(await domain.audit.verify(PROJECT, `3:${remembered}`)).toMatchObject({ valid: false, broken_at: 3 });
  });

  test.each<readonly [string, Json]>([
    ["null", null],
    ["a list", []],
    ["a text", "x"],
    ["an empty object", {}],
  ])("by %s in a record's place, which is no reason to fail", async (_what, value) => {
    const { domain, store } = await world();
    await tamper(store, { put: { [keys.audit(3)]: value } });
    expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: false, broken_at: 3 });
  });
});

describe("a damaged log does not hold up who reads it", () => {
  test("a list ends where the records end", async () => {
    const { domain, store } = await world();
    await tamper(store, { remove: Array.from({ length: 6 }, (_, index) => keys.audit(index + 1)) });
    const page = await domain.audit.list(caller("reader"), PROJECT, { limit: 100, cursor: null }, {});
    expect(page.items.map(({ seq }) => seq)).toEqual([10, 9, 8, 7]);
    expect(page.next_cursor).toBeNull();
    expect((await domain.versions.versions(caller("reader"), PROJECT, { limit: 100, cursor: null })).next_cursor).toBeNull();
  });

  test("an export gives each stored record once, whatever number it claims", async () => {
    const { domain, store } = await world();
    const record = (await auditRecords(store))[4] as AuditRecord;
    await tamper(store, { put: { [keys.audit(5)]: { ...record, seq: 1 } as unknown as Json } });
    const seqs: number[] = [];
    for await (const { seq } of (await domain.audit.export(PROJECT)).records) seqs.push(seq);
    expect(seqs).toEqual([1, 2, 3, 4, 1, 6, 7, 8, 9, 10]);
  });
});

test.each(["", "3", "x:y", `3:${"g".repeat(64)}`, `-1:${"0".repeat(64)}`])(
  "an expectation that is none is refused: %j",
  async (expectation) => {
    const { domain } = await world();
    expect(await codeOf(domain.audit.verify(PROJECT, expectation))).toBe("invalid_request");
  },
);

test("a long log is verified in turns with everybody else, though the store answers at once", async () => {
  const { domain, project } = await openWorld();
  await project.create("staging");
  const hold = () => domain.environments.hold(project.caller, { project: PROJECT, env: "staging" });
  await Promise.all(Array.from({ length: 2_500 }, hold));
  let turns = 0;
  let next = setImmediate(function others() {
    turns++;
    next = setImmediate(others);
  });
  expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true, records: 2_501 });
  clearImmediate(next);
  expect(turns).toBeGreaterThan(1);
});

test("a project that does not exist has no log", async () => {
  const { domain } = await world();
  expect(await codeOf(domain.audit.verify("pf-none", null))).toBe("project_not_found");
  expect(await codeOf(domain.audit.list(caller("reader"), "pf-none", { limit: 1, cursor: null }, {}))).toBe("project_not_found");
});

describe("the list", () => {
  test("is the log, newest first, whatever the page size and filter", async () => {
    const { domain, store } = await world();
    const all = (await auditRecords(store)).toReversed();
    const filters = fc.record(
      {
        env: fc.constantFrom("staging", "production", "none"),
        action: fc.constantFrom("create", "config", "update", "none"),
        actor: fc.constantFrom("ann", "ben"),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), filters, async (limit, filter) => {
        const listed: AuditRecord[] = [];
        let cursor: string | null = null;
        for (let pages = 0; pages < 30; pages++) {
          const page: { items: readonly AuditRecord[]; next_cursor: string | null } = await domain.audit.list(
            caller("reader"),
            PROJECT,
            { limit, cursor },
            filter,
          );
          expect(page.items.length).toBeLessThanOrEqual(limit);
          listed.push(...page.items);
          cursor = page.next_cursor;
          if (cursor === null) break;
        }
        expect(cursor).toBeNull();
        const { env, action, actor } = filter;
        expect(listed).toEqual(
          all.filter(
            (one) =>
              (env === undefined || one.environment === env) &&
              (action === undefined || one.action === action) &&
              (actor === undefined || one.actor === actor),
          ),
        );
      }),
      { numRuns: 60 },
    );
  });

  test.each(["x", "-1", "1.5", ""])("refuses the cursor %j", async (cursor) => {
    const { domain } = await world();
    expect(await codeOf(domain.audit.list(caller("reader"), PROJECT, { limit: 10, cursor }, {}))).toBe("invalid_request");
  });
});
