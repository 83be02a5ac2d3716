import { Engine } from "../support/engine.ts";
import { Project } from "../support/project.ts";
import { FLAGS } from "./support.ts";

export const ROOT = "the-root-token-of-this-test";

/** An engine of its own, with auth on, the flags of `support.ts` in `staging`, and a client's token for that. */
export async function runningFlags(env: Readonly<Record<string, string>> = {}) {
  const engine = await new Engine({ token: ROOT, env }).start();
  const project = new Project(engine);
  await project.create("staging");
  const flags = `/env/${project.id}/staging/flags`;
  await engine.request("PUT", flags, {
    flags: FLAGS,
    $evaluators: { staff: { ends_with: [{ var: "email" }, "@example.com"] } },
    metadata: { flagSetId: "shop" },
  });
  const wish = { name: "app", role: "client", projects: [project.id], envs: ["staging"] };
  const { token } = (await engine.request<{ readonly token: string }>("POST", "/tokens", wish)).body;
  const change = (changed: Readonly<Record<string, unknown>>) =>
    engine.request("PATCH", `/env/${project.id}/staging/config`, { flags: changed });
  return { engine, project, token, change };
}
