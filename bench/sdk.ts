import { createClient } from "../src/sdk/client.ts";
import { connectEnvironment } from "../src/sdk/connection.ts";
import { databasePath } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { alternate, ms, type Row, ratioRow, timed, timesAsMuch } from "./measure.ts";
import { startEngine } from "./processes.ts";

const TURNS = 7;
const TIMES = 30;
const AT = { project: "bench", env: "dev" };

/** A connection beside what it is made of: its start beside one read of the config, a change until it can be read beside the write alone. */
export async function sdk(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const { url, stop } = await startEngine({ STORE_URL: `sqlite:${databasePath(folder)}` });
    const client = createClient({ url });
    const vars = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`VAR_${n}`, "x".repeat(40)]));
    const flags = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`flag-${n}`, true]));
    await client.createEnvironment({ project_id: AT.project, new_environment: AT.env, env_variables: vars });
    await client.patchConfig({ ...AT, flags });
    const rows = [await starts(url, client), await changes(url, client)];
    await stop();
    return rows;
  });
}

type Client = ReturnType<typeof createClient>;

async function starts(url: string, client: Client): Promise<Row> {
  const pairs = await alternate(
    TURNS,
    () => timed(TIMES, async () => (await connectEnvironment({ url, ...AT }).ready()).close()),
    () => timed(TIMES, () => client.getConfig(AT)),
  );
  return ratioRow({
    id: "sdk-start",
    work: "a program's start until it can read 40 vars and 20 flags",
    subject: "connection",
    baseline: "one read of the config",
    pairs,
    unit: ms,
    ratio: timesAsMuch,
    goal: null,
  });
}

async function changes(url: string, client: Client): Promise<Row> {
  const connection = await connectEnvironment({ url, ...AT }).ready();
  let n = 0;
  const write = () => client.patchConfig({ ...AT, vars: { N: String(n++) } });
  const seen = (revision: number) =>
    new Promise<void>((resolve) => {
      if ((connection.status.revision ?? 0) >= revision) resolve();
      else {
        const leave = connection.on("changed", (change) => {
          if (change.revision < revision) return;
          leave();
          resolve();
        });
      }
    });
  const pairs = await alternate(
    TURNS,
    () => timed(TIMES, async () => seen((await write()).revision)),
    () => timed(TIMES, write),
  );
  connection.close();
  return ratioRow({
    id: "sdk-change",
    work: "a change of one var, until a connected program reads it",
    subject: "written and read",
    baseline: "written",
    pairs,
    unit: ms,
    ratio: timesAsMuch,
    goal: null,
  });
}
