import { compactVerify, importJWK, type JWK } from "jose";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { Killed, killedAt } from "../vault/support.ts";
import { codeOf, domainOn, errorOf, openWorld, PROJECT, vaultEntries, type World, watchedVault } from "./support.ts";

interface Statement {
  readonly project_id: string;
  readonly records: number;
  readonly head: string;
  readonly exported_at: string;
}

async function signed({ domain }: Pick<World, "domain">): Promise<string> {
  return domain.auditSigning.sign((await domain.audit.export(PROJECT)).statement);
}

/** What a stranger can do, who has the public keys alone. */
async function verified({ domain }: Pick<World, "domain">, jws: string): Promise<Statement> {
  const known = await domain.auditSigning.keys();
  const { payload } = await compactVerify(
    jws,
    async ({ kid }) => importJWK({ kty: "OKP", crv: "Ed25519", x: known.find((key) => key.kid === kid)?.x ?? "" } satisfies JWK, "EdDSA"),
    { algorithms: ["EdDSA"] },
  );
  return JSON.parse(Buffer.from(payload).toString()) as Statement;
}

/** Entries of the vault that are keys. */
function keyEntries({ store }: Pick<World, "store">): Promise<string[]> {
  return vaultEntries(store, "_engine");
}

describe("an export of the audit log", () => {
  test("is signed with a key that the first one makes, whose public half anybody may have", async () => {
    const world = await openWorld();
    await world.project.create("staging");
    await world.project.set("staging", { "flows/a": {} });
    expect(await world.domain.auditSigning.keys()).toEqual([]);
    const statement = await verified(world, await signed(world));
    const { head, records } = await world.domain.audit.verify(PROJECT, null);
    expect(statement).toEqual({ project_id: PROJECT, records, head, exported_at: expect.stringMatching(/^\d{4}-.*Z$/) });
    await signed(world);
    const [key, ...others] = await world.domain.auditSigning.keys();
    expect(others).toEqual([]);
    expect(await keyEntries(world)).toEqual([`audit/KEY@${key?.kid}`]);
    const { items } = await world.domain.audit.listAccess(world.project.caller, { limit: 10, cursor: null }, {});
    expect(items).toMatchObject([{ action: "audit_key_made", actor: "engine", details: { kid: key?.kid, before: null } }]);
  });

  test("changed in one bit, or about another project, does not verify", async () => {
    const world = await openWorld();
    await world.project.create("staging");
    const [head = "", payload = "", signature = ""] = (await signed(world)).split(".");
    const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload, "base64url").toString()), project_id: "pf-778" }));
    for (const forged of [
      `${head}.${other.toString("base64url")}.${signature}`,
      `${head}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
      `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`,
    ]) {
      await expect(verified(world, forged)).rejects.toThrow();
    }
  });

  test("after a rotation is signed by the new key; what the old one signed still verifies, and it signs no more", async () => {
    const world = await openWorld();
    await world.project.create("staging");
    const before = await signed(world);
    const { kid } = await world.domain.auditSigning.rotate();
    const known = await world.domain.auditSigning.keys();
    expect(known.map(({ retired_at }) => retired_at)).toEqual([expect.any(String), null]);
    expect(known[1]?.kid).toBe(kid);
    // Another engine on the same store, and this one, which had the old key in memory.
    for (const engine of [world, { domain: domainOn(world.store, world.vault) }]) {
      const after = await signed(engine);
      expect(JSON.parse(Buffer.from(after.split(".")[0] ?? "", "base64url").toString())).toMatchObject({ kid });
      await verified(engine, after);
    }
    await verified(world, before);
    expect(await keyEntries(world)).toEqual([`audit/KEY@${kid}`]);
  });

  test("is made by many engines at once with one key", async () => {
    const world = await openWorld();
    await world.project.create("staging");
    const engines = Array.from({ length: 8 }, () => ({ domain: domainOn(world.store, world.vault) }));
    const all = await Promise.all(
      [...engines, ...engines].map((engine) => signed(engine).catch((error: unknown) => codeOf(Promise.reject(error)))),
    );
    const known = await world.domain.auditSigning.keys();
    expect(known).toHaveLength(1);
    for (const jws of all) if (jws !== "write_conflict") await verified(world, jws);
    expect(await keyEntries(world)).toEqual([`audit/KEY@${known[0]?.kid}`]);
  });

  test("without the vault is refused, not sent unsigned; once the key is known it needs none", async () => {
    const away = { now: true };
    const world = await openWorld();
    await world.project.create("staging");
    const vault = watchedVault(world.vault, () => {
      if (away.now) throw new AppError("vault_unavailable");
    });
    const engine = { domain: domainOn(world.store, vault) };
    expect(await codeOf(signed(engine))).toBe("vault_unavailable");
    expect(await world.domain.auditSigning.keys()).toEqual([]);
    away.now = false;
    await signed(engine);
    away.now = true;
    await verified(engine, await signed(engine));
  });

  test("whose key the vault has lost says what to do, and rotating does it", async () => {
    const world = await openWorld();
    await world.project.create("staging");
    await signed(world);
    const [key] = await world.domain.auditSigning.keys();
    await world.vault.delete({ project: "_engine", env: "audit", name: "KEY", id: key?.kid ?? "" });
    const engine = { domain: domainOn(world.store, world.vault) };
    expect((await errorOf(signed(engine))).fix).toContain("npm run audit:rotate");
    await engine.domain.auditSigning.rotate();
    await verified(engine, await signed(engine));
  });

  test("leaves no key behind in the vault, wherever the engine dies while it makes one", async () => {
    for (let nth = 1; ; nth++) {
      for (const moment of ["before", "after"] as const) {
        const world = await openWorld();
        await world.project.create("staging");
        const mortal = killedAt(world.store, nth, moment);
        const died = await signed({ domain: domainOn(mortal.store, world.vault) }).then(
          () => false,
          (error: unknown) => error instanceof Killed,
        );
        if (!died) return expect(nth).toBeGreaterThan(1);
        await verified(world, await signed(world));
        const current = (await world.domain.auditSigning.keys()).at(-1);
        expect(await keyEntries(world)).toEqual([`audit/KEY@${current?.kid}`]);
      }
    }
  });
});

test("a secret of the key is in no document outside of the vault", async () => {
  const world = await openWorld();
  await world.project.create("staging");
  await signed(world);
  const [document] = await world.store.get("_system", ["audit-keys"]);
  expect(JSON.stringify(document?.value)).not.toMatch(/"d":|PRIVATE|MC4CAQAwBQ/);
});
