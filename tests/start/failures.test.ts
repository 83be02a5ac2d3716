import { afterEach, expect, test } from "vitest";
import { Engine } from "../support/engine.ts";

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

/** What an engine says that does not start. */
async function refusal(env: Readonly<Record<string, string>>): Promise<string> {
  const engine = new Engine({ env });
  engines.push(engine);
  await expect(engine.start()).rejects.toThrow();
  return /environment-manager cannot start: ([\s\S]*)/.exec(engine.output())?.[1]?.trim() ?? engine.output();
}

test.each([
  [{ WEBHOOK_ALLOW: "hooks.internal, 10.0/8" }, 'WEBHOOK_ALLOW holds "10.0/8", which is neither a host name'],
  [{ GIT_ALLOW: "10.0/8" }, 'GIT_ALLOW holds "10.0/8", which is neither a host name'],
  [{ GIT_PATH: "package.json" }, "Let the user who runs the engine write to it, or set GIT_PATH to another folder."],
  [{ ENV_MANAGER_HOST: "192.0.2.1", ENV_MANAGER_AUTH: "on" }, 'ENV_MANAGER_HOST is "192.0.2.1", which is no address of this machine.'],
  [
    { ENV_MANAGER_HOST: "no.such.host.invalid", ENV_MANAGER_AUTH: "on" },
    'ENV_MANAGER_HOST is "no.such.host.invalid", which cannot be found.',
  ],
])("a start that fails names the setting and says how to mend it: %o", async (env, words) => {
  const said = await refusal(env as Record<string, string>);
  expect(said).toContain(words);
  expect(said).not.toMatch(/\n\s+at /);
});
