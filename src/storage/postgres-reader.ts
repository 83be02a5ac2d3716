import type pg from "pg";
import type { Entry, Hash, Key, ObjectInfo, Range } from "../ports.ts";
import type { NamedLink } from "./delta-bases.ts";
import { bounds } from "./keys.ts";
import { chainFrom, DELTA_HEAD_BYTES, objectBytes, resolveChain } from "./lines.ts";

type Run = <Result>(work: (client: pg.Client) => Promise<Result>) => Promise<Result>;

interface DocumentRow {
  readonly key: string;
  /** PostgreSQL's bigint comes as text. */
  readonly revision: string;
  readonly value: string;
}

/** Every read of the PostgreSQL backend: one statement each, so that each is consistent by itself. */
export class PostgresReader {
  readonly #run: Run;
  readonly #schema: string;

  constructor(run: Run, schema: string) {
    this.#run = run;
    this.#schema = schema;
  }

  async get(partition: string, keys: readonly Key[]): Promise<readonly (Entry<string> | null)[]> {
    const rows = await this.#query<DocumentRow>(
      `SELECT key, revision, value FROM ${this.#schema}.document WHERE partition = $1 AND key = ANY ($2)`,
      [partition, keys],
    );
    const found = new Map(rows.map((row) => [row.key, entryOf(row)]));
    return keys.map((key) => found.get(key) ?? null);
  }

  async list(partition: string, range: Range): Promise<readonly Entry<string>[]> {
    const { lower, upper } = bounds(range);
    // PostgreSQL's text cannot hold the U+0000 by which `after` is made a lower bound.
    const isAfter = lower.endsWith("\0");
    const conditions = ["partition = $1", isAfter ? "key > $2" : "key >= $2", ...(upper === null ? [] : ["key < $4"])];
    const rows = await this.#query<DocumentRow>(
      `SELECT key, revision, value FROM ${this.#schema}.document WHERE ${conditions.join(" AND ")}
       ORDER BY key ${range.reverse === true ? "DESC" : "ASC"} LIMIT $3`,
      [partition, isAfter ? lower.slice(0, -1) : lower, range.limit, ...(upper === null ? [] : [upper])],
    );
    return rows.map(entryOf);
  }

  async revision(partitions: readonly string[]): Promise<readonly number[]> {
    const known = await this.revisions(partitions);
    return partitions.map((partition) => known.get(partition) ?? 0);
  }

  /** The newest revision of each of them that was ever written. */
  async revisions(partitions: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#query<{ name: string; revision: string }>(
      `SELECT name, revision FROM ${this.#schema}.partition WHERE name = ANY ($1)`,
      [partitions],
    );
    return new Map(rows.map(({ name, revision }) => [name, Number(revision)]));
  }

  async getObjects(partition: string, hashes: readonly Hash[]): Promise<readonly (Uint8Array | null)[]> {
    const found = new Map((await this.links(partition, hashes)).map((link) => [link.hash, link]));
    return hashes.map((hash) => {
      const link = found.get(hash);
      if (link === undefined || link.isHidden) return null;
      if (!link.isDelta) return link.data;
      return resolveChain(
        partition,
        chainFrom(link, ({ base }) => found.get(base ?? "")),
      );
    });
  }

  /** What is stored of these objects, hidden ones included, and of all that they stand upon. */
  async links(partition: string, hashes: readonly Hash[]): Promise<readonly (NamedLink & { readonly isHidden: boolean })[]> {
    const rows = await this.#query<{ hash: Buffer; base: Buffer | null; data: Buffer; hidden: boolean }>(
      `SELECT hash, base, data, hidden FROM ${this.#schema}.read_objects($1, $2::bytea[])`,
      [partition, hashes.map((hash) => `\\x${hash}`)],
    );
    return rows.map(({ hash, base, data, hidden }) => ({
      hash: hash.toString("hex"),
      base: base?.toString("hex") ?? null,
      isDelta: base !== null,
      data,
      isHidden: hidden,
    }));
  }

  async listObjects(partition: string, after: Hash | null, limit: number): Promise<readonly ObjectInfo[]> {
    const rows = await this.#query<{ hash: Buffer; stored_at: Date; stored: number; head: Buffer | null }>(
      `SELECT hash, stored_at, octet_length(data) AS stored,
         CASE WHEN base IS NOT NULL THEN substr(data, 1, ${DELTA_HEAD_BYTES}) END AS head
       FROM ${this.#schema}.object WHERE partition = $1 AND hash > $2::bytea AND stored_at > '-infinity' ORDER BY hash LIMIT $3`,
      [partition, `\\x${after ?? ""}`, limit],
    );
    return rows.map(({ hash, stored_at, stored, head }) => ({
      hash: hash.toString("hex"),
      storedAt: stored_at.getTime(),
      size: head === null ? stored : objectBytes(head),
    }));
  }

  #query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.#run(async (client) => (await client.query<Row>(text, [...values])).rows);
  }
}

function entryOf({ key, revision, value }: DocumentRow): Entry<string> {
  return { key, revision: Number(revision), value };
}
