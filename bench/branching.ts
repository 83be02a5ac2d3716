import { CALLER, createWith, openEngine, PROJECT, patchState } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { countRow, type Row } from "./measure.ts";
import { edits, platform } from "./platforms.ts";

const SIZES = [1_000, 10_000, 100_000];
const CREATE = "create an environment from a base of 1,000, 10,000, 100,000 components";
const PROMOTE = "promote one changed component of 1,000, 10,000, 100,000";
/** What one more level of the map may add: a node on either side. */
const LEVEL = 2;

interface Cost {
  readonly loads: number;
  readonly bytes: number;
}

/** Branching copies nothing: what it loads and stores must not grow with the platform. Counted with empty caches, so that no load is hidden. */
export async function branching(): Promise<Row[]> {
  const costs: { create: Cost; promote: Cost }[] = [];
  for (const size of SIZES) costs.push(await branch(size));
  return [
    ...rows(
      "create",
      CREATE,
      costs.map(({ create }) => create),
      LEVEL,
    ),
    // What a promotion changes is found by a path from each root, and the path is a level longer where the map is.
    ...rows(
      "promote",
      PROMOTE,
      costs.map(({ promote }) => promote),
      2 * LEVEL,
    ),
  ];
}

function rows(id: string, work: string, costs: readonly Cost[], growth: number): Row[] {
  const loads = costs.map((cost) => cost.loads);
  const stored = costs.map((cost) => cost.bytes);
  return [
    countRow({
      id: `${id}-loads`,
      work,
      subject: `${loads.join(", ")} nodes loaded`,
      baseline: `${loads[0]} at ${SIZES[0]?.toLocaleString("en")}`,
      values: [Math.max(...loads) - (loads[0] ?? 0)],
      unit: "more",
      goal: { atMost: growth },
      next: {
        met: "It follows the depth of the map, which a hundred times as many components make one level deeper.",
        missed: "Something is read that grows with the state: the count for each size says from where on.",
      },
    }),
    countRow({
      id: `${id}-bytes`,
      work,
      subject: `${stored.join(", ")} bytes of objects stored`,
      values: stored,
      unit: "bytes",
      goal: { atMost: 2_048 },
      worst: true,
      next: {
        met: "What is stored is the path to the changed config; nothing is copied.",
        missed: "Objects are written that are there already.",
      },
    }),
  ];
}

async function branch(size: number): Promise<{ create: Cost; promote: Cost }> {
  return withFolder(async (folder) => {
    const engine = await openEngine(folder);
    await createWith(engine.domain, "dev", platform(size));
    await engine.domain.config.patch(CALLER, {
      project: PROJECT,
      env: "dev",
      ifMatch: null,
      vars: Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`VAR_${index}`, `value ${index}`])),
    });
    const cost = async (work: () => Promise<unknown>): Promise<Cost> => {
      engine.store.reset();
      await work();
      return { loads: engine.store.counts.objectsRead, bytes: engine.store.counts.objectBytes };
    };
    const variables = { env_variables: { REGION: "eu" } };
    const create = await cost(() => engine.cold().creation.create(CALLER, { project: PROJECT, env: "staging", base: "dev", ...variables }));
    await patchState(engine.domain, "dev", edits(size, 1, 1));
    const promote = await cost(() => engine.cold().promotions.promote(CALLER, { project: PROJECT, source: "dev", target: "staging" }));
    await engine.close();
    return { create, promote };
  });
}
