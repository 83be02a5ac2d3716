import type pg from "pg";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { StoreOptions } from "./open.ts";
import { deltaFunctions } from "./postgres-delta-functions.ts";
import { writingFunctions } from "./postgres-functions.ts";
import { RENEW_AFTER_MS } from "./renewal.ts";

/** "PEnv" in ASCII: the advisory lock under which the schema changes. */
const LOCK = 0x50456e76;

/**
 * Forward-only steps; the table `migration` says which were taken. Never edit one that was released: a step adds, and leaves what
 * running engines of the version before it use (a function that changes gets a new name).
 *
 * Every primary key leads with the partition, so that a distributed database can keep a partition's rows together.
 */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  (schema) => `
CREATE TABLE ${schema}.partition (name text COLLATE "C" PRIMARY KEY, revision bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE ${schema}.document (
  partition text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, revision bigint NOT NULL, value text NOT NULL,
  PRIMARY KEY (partition, key)
);
CREATE TABLE ${schema}.object (
  partition text COLLATE "C" NOT NULL, hash bytea NOT NULL, stored_at timestamptz NOT NULL, data bytea NOT NULL,
  PRIMARY KEY (partition, hash)
);
CREATE TABLE ${schema}.fence (ticket uuid PRIMARY KEY, raised_at timestamptz NOT NULL);
${writingFunctions(schema, { lockMs: LIMITS.postgresLockMs, renewMs: RENEW_AFTER_MS })}`,
  // Makes it possible to store objects as deltas, which nobody does yet: engines from before may run on it.
  (schema) => `
DO $$ BEGIN
  -- Of a schema that is new: what was there already has them by now, and the index may still be building.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute
                 WHERE attrelid = to_regclass('${schema}.object') AND attname = 'base' AND NOT attisdropped) THEN
    ALTER TABLE ${schema}.object ADD COLUMN base bytea;
    CREATE INDEX object_base ON ${schema}.object (partition, base) WHERE base IS NOT NULL;
  END IF;
END $$;
${deltaFunctions(schema, { lockMs: LIMITS.postgresLockMs, renewMs: RENEW_AFTER_MS })}`,
  // From here on objects are stored as deltas: an engine from before could not read them, and would delete what they stand upon.
  (schema) => `
DROP FUNCTION ${schema}.commit_group(uuid, jsonb, bytea);
DROP FUNCTION ${schema}.put_objects(text, jsonb, bytea);`,
];
/** The step after which objects have no bases yet. */
const WITHOUT_BASES = 1;
/** Of an existing schema, how far it is brought without being asked: as far as engines of the version before can use it. */
const SHARED_WITH_OLDER = 2;

/**
 * Brings the schema up to date, to its last step where it is new or where `deltas` asks for that; answers whether objects are stored as
 * deltas. Engines that start together do it one after another; those that run already go on meanwhile.
 * Where it is up to date nothing is locked or written, so that the engine's user needs no right to make anything.
 * @throws AppError `store_unavailable` where a newer engine has written the schema, or the database cannot keep what is promised
 */
export async function migrate(
  client: pg.Client,
  schema: string,
  { deltas = false, existing = false }: Pick<StoreOptions, "deltas" | "existing">,
): Promise<boolean> {
  const found = await version(client, schema);
  if (found === 0 && existing) throw notThere(schema);
  if (found >= wanted(found, deltas)) return found === MIGRATIONS.length;
  // At the step after that one too: whoever built the index then may have been stopped, and others were not to wait for it.
  if (found >= WITHOUT_BASES) await addBases(client, schema);
  await client.query("BEGIN");
  try {
    await client.query(`SET LOCAL lock_timeout = ${LIMITS.postgresLockMs}`);
    await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
    const taken = await version(client, schema);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await client.query(`CREATE TABLE IF NOT EXISTS ${schema}.migration (number integer PRIMARY KEY, taken_at timestamptz NOT NULL)`);
    const last = Math.max(taken, wanted(taken, deltas));
    for (const [index, step] of MIGRATIONS.entries()) {
      if (index < taken || index >= last) continue;
      await client.query(step(schema));
      await client.query(`INSERT INTO ${schema}.migration (number, taken_at) VALUES ($1, clock_timestamp())`, [index + 1]);
    }
    await client.query("COMMIT");
    return last === MIGRATIONS.length;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {}); // The connection may be gone, and the transaction with it.
    throw error;
  }
}

/**
 * What the second step needs, made while engines go on reading and writing a table of any size: the column takes no time, and the index,
 * which has no row yet, is built beside them. Of engines that start together one builds it, and the others need not wait for that.
 */
async function addBases(client: pg.Client, schema: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await addColumn(client, schema);
      return await buildIndex(client, schema);
    } catch (error) {
      // Two that began at the same moment: the server gave up one of them, which looks again.
      if (!isDeadlock(error) || attempt === LIMITS.postgresIndexAttempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * attempt * 100));
    }
  }
}

async function addColumn(client: pg.Client, schema: string): Promise<void> {
  const found = await client.query(
    "SELECT FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'base' AND NOT attisdropped",
    [`${schema}.object`],
  );
  // Asked for in vain it would wait for whoever builds the index, and everybody else for it.
  if (found.rowCount !== 0) return;
  await client.query("BEGIN");
  try {
    await client.query(`SET LOCAL lock_timeout = ${LIMITS.postgresLockMs}`);
    await client.query(`ALTER TABLE ${schema}.object ADD COLUMN IF NOT EXISTS base bytea`);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {}); // The connection may be gone, and the transaction with it.
    throw error;
  }
}

/** One that somebody gave up building is made anew. */
async function buildIndex(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query<{ valid: boolean; building: boolean }>(
    `SELECT i.indisvalid AS valid,
       EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) AS building
     FROM pg_catalog.pg_index i WHERE i.indexrelid = to_regclass($1)`,
    [`${schema}.object_base`],
  );
  const [index] = rows;
  if (index?.valid || index?.building) return;
  const patient = (text: string) => client.query({ text, query_timeout: LIMITS.postgresIndexMs } as pg.QueryConfig);
  if (index !== undefined) await patient(`DROP INDEX CONCURRENTLY IF EXISTS ${schema}.object_base`);
  await patient(`CREATE INDEX CONCURRENTLY IF NOT EXISTS object_base ON ${schema}.object (partition, base) WHERE base IS NOT NULL`);
}

function isDeadlock(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === "40P01";
}

function wanted(found: number, deltas: boolean): number {
  return found === 0 || deltas ? MIGRATIONS.length : SHARED_WITH_OLDER;
}

/** @throws AppError `store_unavailable` where the schema is not there, or is not up to date: nothing is changed. Answers whether objects are stored as deltas. */
export async function mustBeThere(client: pg.Client, schema: string): Promise<boolean> {
  const found = await version(client, schema);
  if (found >= SHARED_WITH_OLDER) return found === MIGRATIONS.length;
  if (found === 0) throw notThere(schema);
  throw new AppError("store_unavailable", {
    reason: `The schema "${schema}" has version ${found}; this engine needs ${SHARED_WITH_OLDER}.`,
    fix: "Start this engine once: it brings the schema up to date.",
  });
}

function notThere(schema: string): AppError {
  return new AppError("store_unavailable", {
    reason: `The database has no tables of the engine in the schema "${schema}".`,
    fix: "Look whether STORE_URL names the engine's database and schema.",
  });
}

async function version(client: pg.Client, schema: string): Promise<number> {
  // Not to_regclass: it may answer from before the lock was taken, where a table would not be found that another engine just made.
  const found = await client.query(
    "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'migration'",
    [schema],
  );
  if (found.rowCount === 0) return 0;
  const { rows } = await client.query<{ newest: number | null }>(`SELECT max(number) AS newest FROM ${schema}.migration`);
  const newest = rows[0]?.newest ?? 0;
  if (newest > MIGRATIONS.length) {
    throw new AppError("store_unavailable", {
      reason: `The schema "${schema}" has version ${newest}, written by a newer engine; this one knows versions up to ${MIGRATIONS.length}.`,
      fix: "Run the newer engine, or restore a backup from before the upgrade.",
    });
  }
  return newest;
}

/** Refuses a database that would break a promise, and gives notice of one that may lose what it acknowledged. */
export async function examine(client: pg.Client, { strict = false, onNotice = () => {} }: StoreOptions): Promise<void> {
  const { rows } = await client.query<Record<string, string>>(
    `SELECT current_setting('server_encoding') AS encoding, current_setting('default_transaction_isolation') AS isolation,
       current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes`,
  );
  // A pooler that gives each statement another connection ends the connection here.
  await client.query("BEGIN");
  await client.query("ROLLBACK");
  const { encoding, isolation, fsync, full_page_writes } = rows[0] ?? {};
  if (encoding !== "UTF8") {
    throw new AppError("store_unavailable", {
      reason: `The database has the encoding ${encoding}.`,
      fix: "Make a database with ENCODING 'UTF8' and name it in STORE_URL.",
    });
  }
  if (isolation !== "read committed") {
    throw new AppError("store_unavailable", {
      reason: `Transactions of this user are "${isolation}" by default: commits would fail where they should wait for one another.`,
      fix: "ALTER ROLE … SET default_transaction_isolation = 'read committed' for the engine's user.",
    });
  }
  for (const [name, value] of Object.entries({ fsync, full_page_writes })) {
    if (value !== "off") continue;
    const reason = `The database server runs with ${name}=off: a power failure may lose or damage what was acknowledged.`;
    const fix = `Set ${name}=on in postgresql.conf.`;
    if (strict) throw new AppError("store_unavailable", { reason, fix });
    onNotice(`${reason} ${fix}`);
  }
}
