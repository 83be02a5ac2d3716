import type { Domain } from "../../src/domain.ts";
import { CALLER, PROJECT, patchState, textOf } from "../engine.ts";
import { edits, platform } from "../platforms.ts";
import type { Dimension, Operation } from "./grown.ts";
import {
  auditPage,
  COMPONENTS,
  compare,
  configWrite,
  create,
  expirySweep,
  historyPage,
  oldAuditPage,
  oldHistoryPage,
  prepareProject,
  promote,
  promoteAll,
  versionsPage,
  writeVariable,
} from "./operations.ts";

/** Writers that wait at once while something grows: they share commits. */
const WRITERS = 64;
/** How often growing looks at the clock. */
const CHUNK = 1_000;

const few = () => COMPONENTS;

const statePatch: Operation = {
  id: "state-patch",
  what: "ten components changed",
  // Each change has a path of its own, and each path has a level more.
  objectsPerLevel: 10,
  run: ({ state }, { n, nth }) =>
    state.patch(CALLER, { project: PROJECT, env: "dev", ifMatch: null, set: Object.fromEntries(edits(n, 10, nth + 1)) }),
};

const diff: Operation = {
  id: "diff",
  what: "two versions compared, ten components changed",
  objectsPerLevel: 20,
  prepare: ({ engine, n, nth }) => patchState(engine.domain, "dev", edits(n, 10, nth + 1)),
  run: async (domain) => {
    const { revision: head } = await domain.environments.view(PROJECT, "dev");
    const { pieces } = await domain.comparison.compare(CALLER, PROJECT, `dev@${head - 1}`, `dev@${head}`, { bodies: false });
    await textOf(pieces());
  },
};

const components: Dimension = {
  over: "components",
  grow: async (engine, from, to) => {
    if (from === 0) await prepareProject(engine, platform(to));
    else {
      await engine.domain.state.replace(CALLER, { project: PROJECT, env: "dev", ifMatch: null, state: platform(to) });
      await promoteAll(engine.domain);
    }
    return to;
  },
  operations: [configWrite, statePatch, create, promote((n) => n, 4), diff],
};

/** Each write of a variable is a version, a revision and an audit record. */
const versions: Dimension = {
  over: "versions",
  grow: (engine, from, to, late) =>
    fill(
      from,
      to,
      late,
      (n) => writeVariable(engine.domain, n),
      () => prepareProject(engine, platform(COMPONENTS)),
    ),
  // The newest versions first, while nothing else has happened since.
  operations: [versionsPage, configWrite, create, promote(few, 1), compare, historyPage, oldHistoryPage, auditPage, oldAuditPage],
};

const environmentsPage: Operation = {
  id: "environments-page",
  what: "a page of the project's environments",
  run: (domain, { n }) => domain.environments.list(CALLER, PROJECT, { limit: 50, cursor: environmentName(Math.floor(n / 2)) }),
};

/** Every tenth is a preview that ends in a year. */
const environments: Dimension = {
  over: "environments",
  grow: (engine, from, to, late) =>
    fill(
      from,
      to,
      late,
      (n) => {
        const preview = n % 10 === 0 ? ({ type: "preview", expires_in: "300d" } as const) : {};
        return engine.domain.creation.create(CALLER, { project: PROJECT, env: environmentName(n), base: "dev", ...preview });
      },
      () => prepareProject(engine, platform(COMPONENTS)),
    ),
  operations: [
    configWrite,
    { ...configWrite, id: "first-write", what: "a variable written in an environment that never was", run: firstWrite },
    create,
    promote(few, 1),
    compare,
    environmentsPage,
    expirySweep,
  ],
};

function environmentName(n: number): string {
  return `env-${String(n).padStart(6, "0")}`;
}

/** All of them began with the same version, and each needs a label of its own. */
function firstWrite(...[domain, { n, nth }]: Parameters<Operation["run"]>): Promise<unknown> {
  return writeVariable(domain, nth, environmentName(nth % n));
}

let held = "";

function makeToken({ tokens: all }: Domain, n: number): Promise<{ readonly token: string }> {
  return all.create(CALLER, { name: `token-${n}`, role: "reader", projects: [PROJECT], envs: ["*"] });
}

const tokens: Dimension = {
  over: "tokens",
  grow: (engine, from, to, late) =>
    fill(
      from,
      to,
      late,
      (n) => makeToken(engine.domain, n),
      () => prepareProject(engine, platform(COMPONENTS)),
    ),
  operations: [
    {
      id: "authenticate",
      what: "a token looked up",
      prepare: async ({ engine, nth }) => {
        held = (await makeToken(engine.domain, nth)).token;
      },
      run: ({ tokens: all }) => all.principal(held),
    },
    { id: "token-create", what: "a token made", run: (domain, { nth }) => makeToken(domain, nth) },
    { id: "tokens-page", what: "a page of the tokens", run: ({ tokens: all }) => all.list(CALLER, { limit: 50, cursor: null }) },
    {
      id: "access-audit-page",
      what: "the newest page of the audit log of access",
      run: ({ audit }) => audit.listAccess(CALLER, { limit: 50, cursor: null }, {}),
    },
    configWrite,
  ],
};

export const DIMENSIONS = { components, versions, environments, tokens } as const;

/** Adds one after another, by as many writers at once, until there are so many or it is too late. */
async function fill(
  from: number,
  to: number,
  late: () => boolean,
  add: (n: number) => Promise<unknown>,
  prepare: () => Promise<unknown>,
): Promise<number> {
  if (from === 0) await prepare();
  let next = from;
  while (next < to && !late()) {
    const end = Math.min(to, next + CHUNK);
    const writer = async () => {
      while (next < end) await add(next++);
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
  }
  return next;
}
