import { expect } from "vitest";
import type { World } from "./support.ts";

/** What nobody but the store is needed for, whatever becomes of the other engines. */
export async function expectReads({ domain, project }: Pick<World, "domain" | "project">, env: string): Promise<void> {
  const { version } = await project.view(env);
  expect((await domain.deployments.active(project.id, env, {})).body.version).toBe(version);
  expect(Object.keys(await project.state(env))).not.toEqual([]);
  expect(await project.config(env)).toMatchObject({ version });
  expect(await project.revisions(env)).not.toEqual([]);
  expect(await domain.audit.verify(project.id, null)).toMatchObject({ valid: true });
}
