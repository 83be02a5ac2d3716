import type { Engine } from "../support/engine.ts";
import { Project } from "../support/project.ts";
import { type Issued, issue } from "./support.ts";

/** A project with a secret, a component, and two environments of which one was made from the other. */
export async function projectNamed(engine: Engine, name: string): Promise<Project> {
  const project = new Project(engine, name);
  await project.create("staging", { env_variables: { REGION: "eu", API_KEY: "one" } });
  await project.create("production", { base_from: "staging" });
  await project.putState("staging", { flows: { a: { v: 1 } } });
  return project;
}

export interface TwoProjects {
  readonly mine: Project;
  readonly theirs: Project;
  /** Administers all of `mine`, and nothing of `theirs`. */
  readonly mallory: Issued;
  /** Administers all of `theirs`, and nothing of `mine`. */
  readonly alice: Issued;
}

export async function twoProjects(engine: Engine): Promise<TwoProjects> {
  const [mine, theirs] = [await projectNamed(engine, "mine"), await projectNamed(engine, "theirs")];
  const admin = { role: "admin", rights: ["secrets:reveal"] };
  const mallory = await issue(engine, { name: "mallory", ...admin, projects: [mine.id] });
  const alice = await issue(engine, { name: "alice", ...admin, projects: [theirs.id] });
  return { mine, theirs, mallory, alice };
}
