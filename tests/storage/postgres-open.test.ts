import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Store } from "../../src/ports.ts";
import { openForReading, openStore, type StoreOptions } from "../../src/storage/open.ts";
import { postgresPlace } from "../../src/storage/postgres-url.ts";
import { put, win } from "../conformance/store.ts";
import { selfSigned } from "../engines/certificate.ts";
import { usePostgres } from "../support/postgres.ts";
import { errorOf, temporaryFolder } from "./support.ts";

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));

const server = usePostgres();

/** Opens, uses and closes it. */
async function useStore(url: string, options?: StoreOptions): Promise<void> {
  const store = await openStore(url, options);
  try {
    await win(store, "p", put("a", 1));
  } finally {
    await store.close();
  }
}

describe("the URL of a PostgreSQL store", () => {
  it("has usual values for what it leaves out", () => {
    expect(postgresPlace("postgres://ann:s%40cret@localhost/env")).toEqual({
      server: { host: "localhost", port: 5432, tls: false },
      listener: { host: "localhost", port: 5432, tls: false },
      user: "ann",
      password: "s@cret",
      database: "env",
      schema: "environment_manager",
      poolSize: 6,
      statementMs: 15_000,
      connectMs: 5_000,
    });
  });

  it("leads to a pooler, and to the server behind it for the connection that listens", () => {
    const place = postgresPlace("postgresql://pooler.example:6432/env?listen=[2001:db8::1]:5433&schema=other&pool_size=20");
    expect(place).toMatchObject({
      server: { host: "pooler.example", port: 6432, tls: { rejectUnauthorized: true, host: "pooler.example" } },
      listener: { host: "2001:db8::1", port: 5433, tls: { rejectUnauthorized: true, host: "2001:db8::1" } },
      schema: "other",
      poolSize: 20,
    });
  });

  it("leads to a Unix socket as libpq has it", () => {
    expect(postgresPlace("postgres://ann@/env?host=/run/postgresql")).toMatchObject({
      server: { host: "/run/postgresql", port: 5432, tls: false },
      user: "ann",
      database: "env",
    });
  });

  it.each([
    ["localhost", "", false],
    ["127.0.0.1", "", false],
    ["db.example", "", true],
    ["10.0.0.1", "", true],
    ["db.example", "?sslmode=require", true],
    ["db.example", "?sslmode=verify-ca", true],
    ["localhost", "?sslmode=verify-full", true],
    ["db.example", "?sslmode=disable", false],
  ])("encrypts to %s%s and checks the certificate: %s", (host, query, encrypted) => {
    const { tls } = postgresPlace(`postgres://${host}/env${query}`).server;
    expect(tls === false ? false : tls.rejectUnauthorized).toBe(encrypted);
  });

  it("takes a certificate without checking it only where it says so", () => {
    expect(postgresPlace("postgres://db.example/env?sslmode=no-verify").server.tls).toMatchObject({ rejectUnauthorized: false });
  });

  it.each([
    ["postgres://ann:hunter2@db.example", "names no database"],
    ["postgres://ann:hunter2@db.example/", "names no database"],
    ["postgres://ann:hunter2@one.example,two.example/env", "no single host"],
    ["postgres://ann:hunter2@db.example/env?sslmode=prefer", "sslmode=prefer"],
    ["postgres://ann:hunter2@db.example/env?sslmode=allow", "sslmode=allow"],
    ["postgres://ann:hunter2@db.example/env?ssl=true", 'option "ssl"'],
    ["postgres://ann:hunter2@db.example/env?schema=a&schema=b", 'option "schema"'],
    ["postgres://ann:hunter2@db.example/env?schema=Robert'); DROP TABLE", "schema"],
    ["postgres://ann:hunter2@db.example/env?sslrootcert=/nowhere.pem", "sslrootcert"],
    ["postgres://ann:hunter2@db.example/env?pool_size=0", "pool_size"],
    ["postgres://ann:hunter2@db.example/env?pool_size=201", "pool_size"],
    ["postgres://ann:hunter2@db.example/env?statement_timeout=99", "statement_timeout"],
    ["postgres://ann:hunter2@db.example/env?statement_timeout=600001", "statement_timeout"],
    ["postgres://ann:hunter2@db.example/env?connect_timeout=61", "connect_timeout"],
    ["postgres://ann:hunter2@db.example/env?listen=a:1:b", "listen"],
    ["postgres://ann:hunter%2@db.example/env", "%"],
    ["postgres://ann:hunter2@db.example:99999/env", "not a URL"],
  ])("%s is refused with a reason and a fix, and without its password", async (url, reason) => {
    const error = await errorOf(openStore(url));
    expect(error).toMatchObject({ code: "invalid_request", message: expect.stringContaining(reason), fix: expect.stringMatching(/\S/) });
    expect(`${error.message} ${error.fix}`).not.toContain("hunter");
  });
});

describe("a server", () => {
  it("is reached by a Unix socket too", async () => {
    await useStore(`${await server().createDatabase()}?host=${server().socket}`);
  });

  it.each([
    ["that is not there", (url: string) => url.replace(/:\d+\//, ":1/"), "refuses connections"],
    ["that refuses the password", (url: string) => url.replace(/:[^:]*@/, ":hunter2@"), "refuses the user or the password"],
    ["without that database", (url: string) => url.replace(/[^/]*$/, "missing"), "has no such database"],
    ["without TLS where that is asked for", (url: string) => `${url}?sslmode=require`, "offers no TLS"],
  ])("%s is named to the operator with a reason and a fix, and without the password", async (_, spoil, reason) => {
    const url = new URL(spoil(server().url()));
    const error = await errorOf(openStore(url.href));
    expect(error).toMatchObject({
      code: "store_unavailable",
      message: expect.stringMatching(`127.0.0.1:${url.port}.*${reason}`),
      fix: expect.stringMatching(/\S/),
    });
    expect(`${error.message} ${error.fix}`).not.toContain(url.password);
  });

  it("that runs without fsync gives notice, or is refused where that is asked for", async () => {
    const url = await server().createDatabase();
    const notices: string[] = [];
    await useStore(url, { onNotice: (notice) => notices.push(notice) });
    expect(notices).toEqual([expect.stringMatching(/fsync=off.*fsync=on/)]);
    expect(await errorOf(openStore(url, { strict: true }))).toMatchObject({
      code: "store_unavailable",
      fix: expect.stringContaining("fsync=on"),
    });
  });

  it("whose commits are not durable by default makes the engine's durable all the same", async () => {
    const url = await server().createDatabase();
    const name = new URL(url).pathname.slice(1);
    await server().query(`ALTER DATABASE ${name} SET synchronous_commit = off`);
    const store = await openStore(url);
    await server().query("CREATE TABLE seen (setting text)", [], url);
    await server().query(
      `CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN INSERT INTO seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END'`,
      [],
      url,
    );
    // Looked at when the transaction commits.
    await server().query(
      `CREATE CONSTRAINT TRIGGER look AFTER INSERT ON environment_manager.document DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION look()`,
      [],
      url,
    );
    await win(store, "p", put("a", 1));
    await store.close();
    expect(await server().query("SELECT setting FROM seen", [], url)).toEqual([{ setting: "on" }]);
  });

  it.each([
    [
      "whose transactions are serializable by default",
      "ALTER DATABASE % SET default_transaction_isolation = 'serializable'",
      "read committed",
    ],
    ["with a database of another encoding", "", "UTF8"],
  ])("%s is refused with a fix", async (_, statement, fix) => {
    let url = await server().createDatabase();
    if (statement === "") {
      await server().query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
      url = server().url("latin");
    } else {
      await server().query(statement.replace("%", new URL(url).pathname.slice(1)));
    }
    expect(await errorOf(openStore(url))).toMatchObject({ code: "store_unavailable", fix: expect.stringContaining(fix) });
  });
});

describe("the schema", () => {
  it.each(Array.from({ length: 5 }, (_, n) => n + 1))("is made once, though eight engines start at the same time (%d)", async () => {
    const url = await server().createDatabase();
    const stores: Store[] = await Promise.all(Array.from({ length: 8 }, () => openStore(url)));
    await Promise.all(stores.map((store, n) => win(store, "p", put(`k/${n}`, n))));
    expect(await stores[0]?.revision(["p"])).toEqual([8]);
    expect(await server().query("SELECT number FROM environment_manager.migration", [], url)).toEqual([
      { number: 1 },
      { number: 2 },
      { number: 3 },
    ]);
    for (const store of stores) await store.close();
  });

  it("of a newer engine is refused and left alone, and engines that run on it go on", async () => {
    const url = await server().createDatabase();
    const running = await openStore(url);
    await server().query("INSERT INTO environment_manager.migration VALUES (4, now())", [], url);
    expect(await errorOf(openStore(url))).toMatchObject({ code: "store_unavailable", message: expect.stringContaining("version 4") });
    await win(running, "p", put("a", 1));
    await running.close();
    expect(await server().query("SELECT number FROM environment_manager.migration ORDER BY number", [], url)).toEqual([
      { number: 1 },
      { number: 2 },
      { number: 3 },
      { number: 4 },
    ]);
  });

  it("is not made by who only reads, and one that is behind is left as it is", async () => {
    const url = await server().createDatabase();
    const refused = await errorOf(openForReading(url));
    expect(refused).toMatchObject({ code: "store_unavailable", message: expect.stringContaining("no tables of the engine") });
    expect(await server().query("SELECT FROM pg_namespace WHERE nspname = 'environment_manager'", [], url)).toEqual([]);
    await useStore(url);
    await server().query("DELETE FROM environment_manager.migration", [], url);
    expect(await errorOf(openForReading(url))).toMatchObject({ code: "store_unavailable" });
    expect(await server().query("SELECT FROM environment_manager.migration", [], url)).toEqual([]);
  });

  it("serves a user that may use it and make nothing", async () => {
    const url = await server().createDatabase();
    await (await openStore(url)).close();
    for (const statement of [
      "CREATE ROLE modest LOGIN PASSWORD 'modest'",
      "GRANT USAGE ON SCHEMA environment_manager TO modest",
      "GRANT SELECT ON environment_manager.migration TO modest",
      "GRANT SELECT, INSERT, UPDATE, DELETE ON environment_manager.partition, environment_manager.document, environment_manager.object, environment_manager.fence TO modest",
    ])
      await server().query(statement, [], url);
    await useStore(url.replace(/\/\/.*@/, "//modest:modest@"));
  });

  it("of another name keeps apart what it holds", async () => {
    const url = await server().createDatabase();
    await useStore(`${url}?schema=one`);
    const other = await openStore(`${url}?schema=two`);
    expect(await other.revision(["p"])).toEqual([0]);
    await other.close();
  });
});

const certificate = selfSigned("localhost");

describe("a server with TLS", () => {
  const encrypted = usePostgres({
    settings: { ssl: "on", ssl_cert_file: "server.pem", ssl_key_file: "server.key" },
    files: { "server.pem": certificate.cert, "server.key": certificate.key },
  });

  function url(query: string, host = "localhost"): string {
    return `${encrypted().url().replace("127.0.0.1", host)}?${query}`;
  }

  it("whose certificate nobody trusts is refused with a fix, whatever sslmode but no-verify says", async () => {
    for (const mode of ["require", "verify-ca", "verify-full"]) {
      expect(await errorOf(openStore(url(`sslmode=${mode}`)))).toMatchObject({
        code: "store_unavailable",
        fix: expect.stringContaining("sslrootcert"),
      });
    }
    await useStore(url("sslmode=no-verify"));
  });

  it("is used where its certificate is trusted and its own, and every connection is encrypted", async () => {
    const ca = join(folder, "ca.pem");
    writeFileSync(ca, certificate.cert);
    const store = await openStore(url(`sslmode=verify-full&sslrootcert=${ca}`));
    await win(store, "p", put("a", 1));
    const sessions = await encrypted().query(
      "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'environment-manager'",
    );
    await store.close();
    expect(sessions.length).toBeGreaterThanOrEqual(2);
    expect(new Set(sessions.map(({ ssl }) => ssl))).toEqual(new Set([true]));
    // The certificate is for localhost, and not for this address.
    expect(await errorOf(openStore(url(`sslmode=verify-full&sslrootcert=${ca}`, "127.0.0.1")))).toMatchObject({
      code: "store_unavailable",
      message: expect.stringContaining("certificate for another name"),
    });
    await useStore(url(`sslmode=verify-ca&sslrootcert=${ca}`, "127.0.0.1"));
  });
});
