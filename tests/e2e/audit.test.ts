import { expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { type PageOf, Project } from "../support/project.ts";

const engine = useEngine();

interface AuditEntry {
  readonly project: string;
  readonly seq: number;
  readonly action: string;
  readonly actor: string;
  readonly environment: string | null;
  readonly version: string | null;
  readonly revision: number | null;
  readonly request_id: string;
  readonly prev_hash: string;
  readonly hash: string;
}

async function worked(): Promise<Project> {
  const project = new Project(engine);
  await project.create("development", { env_variables: { API_KEY: "never-shown" } });
  await project.putState("development", { entities: { Order: {} } });
  await project.create("staging", { base_from: "development" });
  await project.patchState("development", { set: { "entities/Note": {} } });
  await project.promote("development", "staging");
  await project.rollback("staging", 1);
  return project;
}

async function log(project: Project): Promise<readonly AuditEntry[]> {
  return (await project.read<PageOf<AuditEntry>>(`${project.path("audit")}?limit=1000`)).items;
}

test("every change has one record: newest first, contiguous, each holding the hash of the one before", async () => {
  const project = await worked();
  const records = await log(project);
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: records.length }, (_, index) => records.length - index));
  for (const [index, record] of records.entries()) {
    expect(record.project).toBe(project.id);
    expect(record.actor).toMatch(/\S/);
    expect(record.request_id).toMatch(/\S/);
    const previous = records[index + 1];
    if (previous !== undefined) expect(record.prev_hash).toBe(previous.hash);
  }
  const changes = records.filter(({ environment, revision }) => environment !== null && revision !== null);
  const told = new Set(changes.map(({ environment, revision }) => `${environment}@${revision}`));
  for (const env of ["development", "staging"]) {
    for (const { revision } of await project.revisions(env)) expect([...told]).toContain(`${env}@${revision}`);
  }
});

test("a record names the request that it came from", async () => {
  const project = await worked();
  const reply = await engine.request("PATCH", project.path("development", "state"), { set: { "entities/Later": {} } });
  const [newest] = await log(project);
  expect(reply.headers["x-request-id"]).toBe(newest?.request_id);
});

test("the chain verifies, and its head is that of the newest record", async () => {
  const project = await worked();
  const records = await log(project);
  expect(await project.verify()).toEqual({ valid: true, records: records.length, head: `${records[0]?.seq}:${records[0]?.hash}` });
});

test("a head noted earlier is still in the chain, and another one is not", async () => {
  const project = await worked();
  const { head } = await project.verify();
  await project.putState("development", { entities: { Order: { fields: {} } } });
  expect(await project.verify(`?expect=${encodeURIComponent(head)}`)).toMatchObject({ valid: true });

  const [seq] = head.split(":");
  const forged = `${seq}:${"0".repeat(64)}`;
  expect(await project.verify(`?expect=${encodeURIComponent(forged)}`)).toMatchObject({ valid: false });
  const cutOff = `999:${"0".repeat(64)}`;
  expect(await project.verify(`?expect=${encodeURIComponent(cutOff)}`)).toMatchObject({ valid: false });
});

test("reads and refused requests leave no record", async () => {
  const project = await worked();
  const before = await project.verify();
  await project.state("development");
  await project.config("development");
  await project.compare("development", "staging");
  await project.promote("development", "staging", { dry_run: true, strategy: "replace" });
  await project.tryRollback("staging", "v9.9.9");
  expect(await project.verify()).toEqual(before);
});
