import { describe, expect, test } from "vitest";
import { clockOf, grant, holderOf, READER, ROOT, refusal, serveTo } from "../access/support.ts";
import { domainOn, PROJECT, Project } from "../domain/support.ts";
import { sharedStore } from "./support.ts";

/** Two engines on one store, of which neither is ever told what the other does: as where every notification is lost. */
async function twoThatHearNothing() {
  const shared = await sharedStore({ told: false });
  const parts = { clock: clockOf(shared.clock) };
  const links = [shared.connect(), shared.connect()] as const;
  const [one, two] = [domainOn(links[0].store, shared.vault, [], parts), domainOn(links[1].store, shared.vault, [], parts)];
  return { shared, one, two, links, here: new Project(one), there: new Project(two) };
}

describe("instances that share a store, and lose every notification", () => {
  test("a token that one instance has revoked is refused by all others from then on", async () => {
    const { one, two } = await twoThatHearNothing();
    const { token, id } = await one.tokens.create(ROOT, READER);
    for (const { tokens } of [one, two, two]) expect(await tokens.principal(token)).toMatchObject({ token: id });
    await one.tokens.revoke(ROOT, id);
    for (const { tokens } of [two, one]) expect(await refusal(tokens.principal(token))).toBe("unauthorized: The token was revoked.");
  });

  test("a rotated token is known by its new secret at once, and its old one is over when it says", async () => {
    const { one, two } = await twoThatHearNothing();
    const before = await one.tokens.create(ROOT, READER);
    await two.tokens.principal(before.token);
    const after = await one.tokens.rotate(ROOT, before.id, { overlap: "0s" });
    expect(await two.tokens.principal(after.token)).toMatchObject({ token: before.id });
    expect(await refusal(two.tokens.principal(before.token))).toBe("unauthorized: The token is not valid.");
  });

  test("a session that one instance has closed is over for all others", async () => {
    const { one, two } = await twoThatHearNothing();
    const { secret } = await one.sessions.open({ subject: "ann", token: "root", grants: [grant("admin")], expiresAt: null }, () => null);
    await two.sessions.find(secret);
    await one.sessions.close(secret);
    expect(await refusal(two.sessions.find(secret))).toMatch(/^unauthorized/);
  });

  test("config and what should run are read as whoever wrote last left them, wherever that was", async () => {
    const { here, there, one, two } = await twoThatHearNothing();
    await here.create("staging");
    for (let n = 1; n <= 20; n++) {
      const [writer, reader] = n % 2 === 0 ? [here, two] : [there, one];
      const { revision } = await writer.configure("staging", { vars: { N: String(n) } });
      const read = await reader.config.read(PROJECT, "staging", {});
      expect(read).toMatchObject({ revision, ageMs: 0 });
      expect(await read.load()).toMatchObject({ vars: { N: String(n) } });
      expect((await reader.deployments.active(PROJECT, "staging", {})).body.revision).toBe(revision);
    }
  });

  test("over HTTP: the request after the revocation is refused, whichever instance it reaches", async () => {
    const { one, two, here } = await twoThatHearNothing();
    await here.create("staging");
    const [first, second] = [await serveTo(one), await serveTo(two)];
    const { token, id } = await one.tokens.create(ROOT, { ...READER, projects: [PROJECT] });
    const path = `/env/${PROJECT}/staging/config`;
    for (const { as } of [first, second, first, second]) expect((await as(token, path)).status).toBe(200);
    await two.tokens.revoke(ROOT, id);
    for (const { as } of [first, second]) expect((await as(token, path)).status).toBe(401);
  });
});

test("64 requests with known tokens for known heads, together: two questions to the store, and nothing else", async () => {
  const { one, two, here, links } = await twoThatHearNothing();
  await here.create("staging");
  const { token } = await one.tokens.create(ROOT, READER);
  const read = async () => {
    await two.tokens.principal(token);
    await two.config.read(PROJECT, "staging", {});
  };
  await read();
  await read();
  const before = links[1].checks();
  await Promise.all(Array.from({ length: 64 }, read));
  // The tokens' two, shared by all; then the heads', shared too.
  expect(links[1].checks() - before).toBeLessThanOrEqual(4);
});

test("a caller sees what was written before by somebody of another instance, in every kind of read", async () => {
  const { one, two, here, there } = await twoThatHearNothing();
  await here.create("staging");
  const ann = holderOf("ann", grant("admin"));
  await two.policies.read(PROJECT);
  await here.policy({ environments: { staging: { protected: true } } });
  expect(await two.policies.read(PROJECT)).toMatchObject({ policy: { environments: { staging: { protected: true } } } });
  await there.create("testing");
  expect((await one.environments.list(ann, PROJECT, { limit: 10, cursor: null })).items.map(({ env }) => env)).toEqual([
    "staging",
    "testing",
  ]);
});
