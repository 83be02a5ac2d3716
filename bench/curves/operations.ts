import type { Domain } from "../../src/domain.ts";
import { CALLER, type InProcess, PROJECT, patchState, textOf } from "../engine.ts";
import { edits } from "../platforms.ts";
import type { Operation } from "./grown.ts";

/** What people do with a project `bench` that has the environments `dev` and `staging`, whatever it has many of. */

/** Components that `dev` has where it is not they that there are many of. */
export const COMPONENTS = 100;
const PAGE = 50;

export function writeVariable(domain: Domain, nth: number, env = "dev", value = `value ${nth}`): Promise<unknown> {
  return domain.config.patch(CALLER, { project: PROJECT, env, ifMatch: null, vars: { [`VAR_${nth % 20}`]: value } });
}

/** An environment with 100 components and 20 variables, and another that was made from it. */
export async function prepareProject({ domain }: InProcess, state: Parameters<Domain["state"]["replace"]>[1]["state"]): Promise<void> {
  const env_variables = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`VAR_${n}`, "first"]));
  await domain.creation.create(CALLER, { project: PROJECT, env: "dev", base: null, env_variables });
  await domain.state.replace(CALLER, { project: PROJECT, env: "dev", ifMatch: null, state });
  await domain.creation.create(CALLER, { project: PROJECT, env: "staging", base: "dev" });
}

export const configWrite: Operation = {
  id: "config-write",
  what: "a variable written",
  // Which variables the platform requires stands in it.
  objectsPerLevel: 1,
  // Another value than any that made the history grow.
  run: (domain, { nth }) => writeVariable(domain, nth, "dev", `changed ${nth}`),
};

/** The newest common history of both environments was there before all that there are many of. */
export const create: Operation = {
  id: "create",
  what: "an environment created from a base",
  objectsPerLevel: 1,
  atMost: 1.2,
  run: (domain, { nth }) =>
    domain.creation.create(CALLER, { project: PROJECT, env: `made-${nth}`, base: "dev", env_variables: { NAME: `${nth}` } }),
};

export function promoteAll(domain: Domain): Promise<unknown> {
  return domain.promotions.promote(CALLER, { project: PROJECT, source: "dev", target: "staging" });
}

/** `componentsOf` says how many there are in `dev`. */
export function promote(componentsOf: (n: number) => number, objectsPerLevel: number): Operation {
  return {
    id: "promote",
    what: "one changed component promoted",
    atMost: 1.2,
    objectsPerLevel,
    prepare: async ({ engine: { domain }, n, nth }) => {
      // What others have changed travels first.
      await promoteAll(domain);
      await patchState(domain, "dev", edits(componentsOf(n), 1, nth + 1));
    },
    run: promoteAll,
  };
}

export const compare: Operation = {
  id: "compare",
  what: "two environments compared",
  objectsPerLevel: 2,
  run: async (domain) => {
    const { pieces } = await domain.comparison.compare(CALLER, PROJECT, "dev", "staging", { bodies: false });
    return textOf(pieces());
  },
};

export const historyPage: Operation = {
  id: "history-page",
  what: "the newest page of an environment's history",
  run: (domain) => domain.versions.revisions(PROJECT, "dev", { limit: PAGE, cursor: null }),
};

export const oldHistoryPage: Operation = {
  id: "old-history-page",
  what: "a page from the middle of the history",
  run: (domain, { n }) => domain.versions.revisions(PROJECT, "dev", { limit: PAGE, cursor: String(Math.floor(n / 2) + PAGE) }),
};

export const versionsPage: Operation = {
  id: "versions-page",
  what: "the newest page of the project's versions",
  run: (domain) => domain.versions.versions(CALLER, PROJECT, { limit: PAGE, cursor: null }),
};

export const auditPage: Operation = {
  id: "audit-page",
  what: "the newest page of the audit log",
  run: (domain) => domain.audit.list(CALLER, PROJECT, { limit: PAGE, cursor: null }, {}),
};

export const oldAuditPage: Operation = {
  id: "old-audit-page",
  what: "a page from the middle of the audit log",
  run: (domain, { n }) => domain.audit.list(CALLER, PROJECT, { limit: PAGE, cursor: String(Math.floor(n / 2) + PAGE) }, {}),
};

const DUE = 10;
/** So little that what is freed a day after their end never comes due in a run. */
const MINUTE_MS = 60_000;

export const expirySweep: Operation = {
  id: "expiry-sweep",
  what: `${DUE} previews ended whose time has come`,
  documentsMore: 2 * DUE,
  prepare: async ({ engine: { domain }, nth }) => {
    for (let i = 0; i < DUE; i++) {
      await domain.creation.create(CALLER, { project: PROJECT, env: `due-${nth}-${i}`, base: "dev", type: "preview", expires_in: "1m" });
    }
  },
  run: async (domain, { engine }) => {
    engine.store.aheadMs += 2 * MINUTE_MS;
    const done = await domain.sweeper.runDue();
    if (done < DUE) throw new Error(`${done} previews were due where ${DUE} were`);
  },
};
