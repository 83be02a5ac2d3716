import type { Row } from "./measure.ts";

/** A few rows that are measured together, in a process of their own. */
interface Group {
  /** Loads what measures it: only the process that does so needs it. */
  readonly load: () => Promise<() => Promise<readonly Row[]>>;
  /** When it is ended, and told as failed. */
  readonly seconds: number;
}

export type SuiteName = "bench" | "peers" | "curves";

/** Seconds after which no group of a suite goes on: what is left is told as failed. On a machine with nothing else to do each takes half of it. */
export const SUITE_SECONDS: Readonly<Record<SuiteName, number>> = { bench: 480, peers: 720, curves: 480 };

/** What `npm run bench`, `npm run bench:peers` and `npm run bench:curves` measure, in this order. */
export const SUITES: Readonly<Record<SuiteName, Readonly<Record<string, Group>>>> = {
  // Nothing but what the tests need too.
  bench: {
    "state-writes": { load: async () => (await import("./state-writes.ts")).stateWrites, seconds: 90 },
    bytes: { load: async () => (await import("./bytes.ts")).bytes, seconds: 120 },
    diffs: { load: async () => (await import("./diffs.ts")).diffs, seconds: 60 },
    branching: { load: async () => (await import("./branching.ts")).branching, seconds: 60 },
    "config-writes": { load: async () => (await import("./config-writes.ts")).configWrites, seconds: 90 },
    reads: { load: async () => (await import("./reads.ts")).reads, seconds: 60 },
    watchers: { load: async () => (await import("./watchers.ts")).watchers, seconds: 90 },
    "cli-start": { load: async () => (await import("./cli-start.ts")).cliStart, seconds: 60 },
    sdk: { load: async () => (await import("./sdk.ts")).sdk, seconds: 30 },
    "ten-thousand": { load: async () => (await import("./ten-thousand.ts")).tenThousand, seconds: 150 },
    "redis-commits": { load: async () => (await import("./redis-commits.ts")).redisCommits, seconds: 60 },
    postgres: { load: async () => (await import("./postgres.ts")).postgres, seconds: 60 },
    instances: { load: async () => (await import("./instances.ts")).instances, seconds: 60 },
  },
  // Other software, which they fetch.
  peers: {
    evaluation: { load: async () => (await import("./peers/evaluation.ts")).evaluation, seconds: 120 },
    "diff-libraries": { load: async () => (await import("./peers/diff-libraries.ts")).diffLibraries, seconds: 120 },
    unleash: { load: async () => (await import("./peers/unleash.ts")).unleash, seconds: 180 },
    etcd: { load: async () => (await import("./peers/etcd.ts")).etcd, seconds: 90 },
    git: { load: async () => (await import("./peers/git.ts")).git, seconds: 90 },
    redis: { load: async () => (await import("./peers/redis.ts")).redis, seconds: 60 },
    dotenvx: { load: async () => (await import("./peers/dotenvx.ts")).dotenvx, seconds: 60 },
  },
  // What work costs where there is more and more of something.
  curves: {
    components: { load: async () => (await import("./curves/index.ts")).curves("components"), seconds: 120 },
    versions: { load: async () => (await import("./curves/index.ts")).curves("versions"), seconds: 200 },
    environments: { load: async () => (await import("./curves/index.ts")).curves("environments"), seconds: 200 },
    tokens: { load: async () => (await import("./curves/index.ts")).curves("tokens"), seconds: 200 },
  },
};
