import { expect, test } from "vitest";
import { memoryStore } from "../domain/support.ts";
import { describeVault } from "./conformance.ts";
import { describeSecrets } from "./stand-ins/domain.ts";
import { describeFaults } from "./stand-ins/faults.ts";
import { connecting, useKind } from "./stand-ins/kinds.ts";
import { entry } from "./support.ts";

describeVault("puraify");
describeFaults("puraify");
describeSecrets("puraify");

const kind = useKind("puraify");

test("requests have the contract's form, each part of the path encoded", async () => {
  const vault = await kind.open();
  await vault.put(entry({ name: "mail.key" }), "value");
  await vault.get(entry({ name: "mail.key" }));
  await vault.delete(entry({ name: "mail.key" }));
  const seen = (await kind.standIn.seen()).map(({ method, path, body }) => ({ method, path, body }));
  const path = "/vault/token/pf-777%2Fstaging/mail.key%400a1b";
  expect(seen).toEqual([
    { method: "POST", path: "/vault/token", body: { project: "pf-777/staging", service: "mail.key@0a1b", token: "value" } },
    { method: "GET", path, body: {} },
    { method: "DELETE", path, body: {} },
  ]);
});

test("a token is sent where one is set, and a vault that does not take it says so", async () => {
  await kind.standIn.control({ token: "vault-token" });
  const settings = { kind: "puraify", url: kind.standIn.url } as const;
  const known = await kind.open(memoryStore(), connecting(), { ...settings, token: "vault-token" });
  await known.put(entry(), "value");
  expect(await known.get(entry())).toBe("value");
  const unknown = await kind.open(memoryStore(), connecting(), { ...settings, token: "wrong-token" });
  const refused = await unknown.get(entry()).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "vault_unavailable", fix: expect.stringContaining("VAULT_TOKEN") });
  expect(String(refused)).not.toContain("wrong-token");
});

test("the key of the fingerprints lies in the vault, under a project that nobody can have, and not in the store", async () => {
  const store = memoryStore();
  await (await kind.open(store)).fingerprint("pf-777", "value");
  const [path, ...more] = await kind.standIn.everyEntry();
  expect(more).toEqual([]);
  expect(path).toMatch(/^_engine\/fingerprints\/KEY@[\w-]{12}$/);
  const [document] = await store.get("_vault", ["fingerprints"]);
  expect(document?.value).toEqual({ entry: path?.slice(path.indexOf("@") + 1) });
});
