import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine, useEngine } from "../support/engine.ts";
import { expectError, Project, type Verified } from "../support/project.ts";
import { bearer, type Came, cookieOf, logIn, type Sent, send } from "./browser.ts";
import { strangersToken } from "./support.ts";

/** Sessions of the dashboard, with a real engine: a cookie in a token's place. */

const ROOT = "root-token-of-the-session-tests";
const engine = useEngine({ token: ROOT });
const OWN_PAGE = () => ({ origin: engine.url });

const ask = (asked: Sent) => send(engine.url, asked);
const withCookie = (pair: string, asked: Sent) => ask({ ...asked, headers: { cookie: pair, ...asked.headers } });

interface Issued {
  readonly id: string;
  readonly token: string;
  readonly expires_at: string | null;
}

async function issue(members: object = {}): Promise<Issued> {
  const body = { name: "ada", role: "admin", projects: ["*"], ...members };
  const reply = await engine.request<Issued>("POST", "/tokens", body);
  expect(reply.status, reply.text).toBe(201);
  return reply.body;
}

function expectCode({ status, body, text }: Came, expected: number, code: string): void {
  expect([status, body.code], text).toEqual([expected, code]);
}

describe("logging in", () => {
  test("sets a cookie that no script reads and no other site sends, and says who came", async () => {
    const { id, token } = await issue({ role: "editor", projects: ["pf-*"], envs: ["staging"] });
    const reply = await ask({ method: "POST", path: "/session", body: { token } });
    expect(reply.body).toMatchObject({
      status: "logged_in",
      actor: "ada",
      token_id: id,
      grants: [{ role: "editor", projects: ["pf-*"], envs: ["staging"], rights: [] }],
    });
    const { name, value, attributes } = cookieOf(reply);
    expect(name).toBe("envm_session");
    expect(value).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(attributes.filter((attribute) => !attribute.startsWith("Max-Age="))).toEqual(["Path=/", "HttpOnly", "SameSite=Strict"]);
    expect(reply.headers["cache-control"]).toBe("no-store");
    expect(reply.headers).not.toHaveProperty("strict-transport-security");
    expect(reply.text).not.toContain(value);
    expect(value).not.toContain(token.slice(-43));
  });

  test("each time opens another session, and no two secrets are alike", async () => {
    const { token } = await issue();
    const cookies = [await logIn(engine.url, token), await logIn(engine.url, token), await logIn(engine.url, ROOT)];
    expect(new Set(cookies.map(({ value }) => value)).size).toBe(3);
    for (const { pair } of cookies) expect((await withCookie(pair, { path: "/session" })).status).toBe(200);
  });

  test("lasts no longer than the token, and half a day at most", async () => {
    const ages = await Promise.all(
      ["1h", "11h", "13h", null].map(async (expires_in) => {
        const { token } = await issue({ expires_in });
        const { attributes } = await logIn(engine.url, token);
        return Number(attributes.find((attribute) => attribute.startsWith("Max-Age="))?.slice(8));
      }),
    );
    const whole = [3_600, 39_600, 43_200, 43_200];
    for (const [index, age] of ages.entries()) expect(whole[index]).toBeGreaterThanOrEqual(age);
    expect(ages.map((age) => Math.ceil(age / 3_600))).toEqual([1, 11, 12, 12]);
  });

  test("with what is no token sets nothing", async () => {
    const { id, token } = await issue();
    await engine.request("DELETE", `/tokens/${id}`);
    for (const shown of [token, strangersToken(), "nonsense", `Bearer ${ROOT}`, ROOT.toUpperCase()]) {
      const reply = await ask({ method: "POST", path: "/session", body: { token: shown } });
      expectCode(reply, 401, "unauthorized");
      expect(reply.headers).not.toHaveProperty("set-cookie");
      expect(reply.text).not.toContain(shown);
    }
    for (const body of [{}, { token: "" }, { token: 7 }, { token: [ROOT] }, { token: ROOT, remember: true }]) {
      expectCode(await ask({ method: "POST", path: "/session", body }), 400, "invalid_request");
    }
  });

  test("from a page of another site is refused: nobody is logged in as somebody else", async () => {
    for (const origin of ["http://evil.example", "null", `${engine.url}0`, "http://localhost"]) {
      const reply = await ask({ method: "POST", path: "/session", headers: { origin }, body: { token: ROOT } });
      expectCode(reply, 403, "origin_not_allowed");
      expect(reply.headers).not.toHaveProperty("set-cookie");
    }
  });
});

describe("a session", () => {
  test("is who its token is, and may what it may", async () => {
    const project = new Project(engine, "session");
    await project.create("staging");
    const { id, token } = await issue({ name: "grace", role: "editor", projects: [project.id] });
    const { pair } = await logIn(engine.url, token);
    expect((await withCookie(pair, { path: "/session" })).body).toMatchObject({ actor: "grace", token_id: id });
    expect((await withCookie(pair, { path: project.path("staging") })).status).toBe(200);
    expectCode(await withCookie(pair, { path: "/env/another" }), 404, "project_not_found");
    expectCode(await withCookie(pair, { path: "/tokens" }), 403, "forbidden");
    const hold = { method: "POST", path: "/env/hold", headers: OWN_PAGE(), body: { project_id: project.id, env: "staging" } };
    expect((await withCookie(pair, hold)).status).toBe(200);
    const { items } = await project.read<{ readonly items: unknown }>(`${project.path("audit")}?action=hold`);
    expect(items).toMatchObject([{ actor: "grace", subject: "grace", token: id }]);
  });

  test("reads, whether the page asks or its user follows a link in it", async () => {
    const { pair } = await logIn(engine.url, ROOT);
    for (const headers of [{}, { "sec-fetch-site": "same-origin" }, { "sec-fetch-site": "none" }, OWN_PAGE()]) {
      for (const method of ["GET", "HEAD"]) expect((await withCookie(pair, { method, path: "/env", headers })).status).toBe(200);
    }
  });

  test("reads nothing for a page of another site", async () => {
    const { pair } = await logIn(engine.url, ROOT);
    for (const site of ["cross-site", "same-site", "Same-Origin", "", "same-origin, cross-site"]) {
      expectCode(await withCookie(pair, { path: "/env", headers: { "sec-fetch-site": site } }), 403, "origin_not_allowed");
    }
  });

  describe("changes things from a page of the engine's own alone", () => {
    const elsewhere = () => `http://127.0.0.1:${Number(new URL(engine.url).port) ^ 1}`;
    const shown: Readonly<Record<string, () => Readonly<Record<string, string>>>> = {
      "says nothing of where it comes from": () => ({}),
      "names the page alone": () => ({ referer: `${engine.url}/docs` }),
      "has a header that forms cannot send": () => ({ "x-requested-with": "XMLHttpRequest" }),
      "comes from no page": () => ({ "sec-fetch-site": "none" }),
      "comes from another site": () => ({ "sec-fetch-site": "cross-site" }),
      "comes from another host of the site": () => ({ "sec-fetch-site": "same-site" }),
      "comes from another site, which says otherwise": () => ({ "sec-fetch-site": "same-origin", origin: "http://evil.example" }),
      "comes from another site by the browser's word": () => ({ "sec-fetch-site": "cross-site", origin: engine.url }),
      "names another site": () => ({ origin: "http://evil.example" }),
      "names another port": () => ({ origin: elsewhere() }),
      "names no site": () => ({ origin: "null" }),
      "names a site that begins like this one": () => ({ origin: `${engine.url}.evil.example` }),
      "names nothing": () => ({ origin: "" }),
      "names two": () => ({ origin: `${engine.url} http://evil.example` }),
    };

    test.each(Object.entries(shown))("a write that %s is refused, and changes nothing", async (_what, headers) => {
      const project = new Project(engine, "forged");
      await project.create("staging");
      const { id, token } = await issue({ role: "admin", rights: ["secrets:reveal"] });
      const { pair } = await logIn(engine.url, token);
      const before = [await project.verify(), (await engine.get("/tokens")).body];
      for (const [method, path, body] of [
        ["POST", "/env/hold", { project_id: project.id, env: "staging" }],
        ["POST", "/env/create", { project_id: project.id, new_environment: "forged" }],
        ["PUT", project.path("staging", "state"), { state: {} }],
        ["PATCH", project.path("staging", "config"), { vars: { A: "1" } }],
        ["POST", project.path("staging", "secrets", "reveal"), {}],
        ["DELETE", `/tokens/${id}`, undefined],
        ["DELETE", "/session", undefined],
        ["POST", "/tokens", { name: "forged", role: "admin", projects: ["*"] }],
      ] as const) {
        expectCode(await withCookie(pair, { method, path, headers: headers(), body }), 403, "origin_not_allowed");
      }
      expect((await withCookie(pair, { path: "/session" })).status).toBe(200);
      const [audit, tokens] = [await project.verify(), (await engine.get("/tokens")).body];
      expect(audit).toEqual(before[0]);
      expect(withoutUse(tokens)).toEqual(withoutUse(before[1]));
    });

    test.each([
      ["names it", () => OWN_PAGE()],
      ["comes from it by the browser's word", () => ({ "sec-fetch-site": "same-origin" })],
      ["does both", () => ({ ...OWN_PAGE(), "sec-fetch-site": "same-origin" })],
    ] as const)("a write that %s is done", async (_what, headers) => {
      const project = new Project(engine, "own");
      const { pair } = await logIn(engine.url, ROOT);
      for (const [method, path, body, status] of [
        ["POST", "/env/create", { project_id: project.id, new_environment: "staging" }, 201],
        ["PATCH", project.path("staging", "config"), { vars: { A: "1" } }, 200],
        ["PUT", project.path("staging", "state"), { state: {} }, 200],
        ["DELETE", "/session", undefined, 200],
      ] as const) {
        const reply = await withCookie(pair, { method, path, headers: headers(), body });
        expect(reply.status, reply.text).toBe(status);
      }
    });
  });

  test("is one cookie, as it was set: nothing like it is taken", async () => {
    const { value, pair } = await logIn(engine.url, ROOT);
    for (const cookie of [
      `envm_session=${value.slice(0, -1)}`,
      `envm_session=${value}A`,
      `envm_session=${value.toLowerCase()}`,
      `envm_session="${value}"`,
      `envm_session=`,
      `envm_session=${"A".repeat(43)}`,
      `envm_session=${ROOT}`,
      `ENVM_SESSION=${value}`,
      `xenvm_session=${value}`,
      `__Host-envm_session=${value}`,
      `__Secure-envm_session=${value}`,
      `envm_session.x=${value}`,
      `envm_session=%41${value.slice(1)}`,
    ]) {
      const { status, text } = await withCookie(cookie, { path: "/env" });
      expect(status, `${cookie}: ${text}`).toBe(401);
    }
    for (const cookie of [`a=1; ${pair}; b=2`, `a=envm_session; ${pair}`]) {
      expect((await withCookie(cookie, { path: "/env" })).status, cookie).toBe(200);
    }
  });

  test("is no token, and a token is no session", async () => {
    const { token } = await issue();
    const { value } = await logIn(engine.url, token);
    expectCode(await ask({ path: "/env", headers: bearer(value) }), 401, "unauthorized");
    expectCode(await ask({ method: "POST", path: "/session", body: { token: value } }), 401, "unauthorized");
    expectCode(await withCookie(`envm_session=${token}`, { path: "/env" }), 401, "unauthorized");
    expectCode(await withCookie(`envm_session=${token.slice(-43)}`, { path: "/env" }), 401, "unauthorized");
  });

  test("gives way to an Authorization header, whether that holds or not", async () => {
    const [ada, grace] = [await issue({ name: "ada" }), await issue({ name: "grace" })];
    const { pair } = await logIn(engine.url, ada.token);
    const who = await withCookie(pair, { path: "/session", headers: bearer(grace.token) });
    expect(who.body).toMatchObject({ actor: "grace", token_id: grace.id });
    for (const authorization of ["Bearer x", `Bearer ${strangersToken()}`, "Basic YTpi", "", "Bearer "]) {
      expectCode(await withCookie(pair, { path: "/session", headers: { authorization } }), 401, "unauthorized");
    }
    // A program's write needs no page; its cookie, where it has one, does nothing.
    const hold = { method: "POST", path: "/env/hold", headers: bearer(grace.token), body: { project_id: "nowhere", env: "staging" } };
    expectCode(await withCookie(pair, hold), 404, "project_not_found");
  });

  test("ends when its token is revoked, everywhere and at once", async () => {
    const { id, token } = await issue();
    const cookies = [await logIn(engine.url, token), await logIn(engine.url, token)];
    for (const { pair } of cookies) expect((await withCookie(pair, { path: "/env" })).status).toBe(200);
    await engine.request("DELETE", `/tokens/${id}`);
    for (const { pair } of cookies) expectCode(await withCookie(pair, { path: "/env" }), 401, "unauthorized");
  });

  test("goes on when its token is given another secret", async () => {
    const { id, token } = await issue();
    const { pair } = await logIn(engine.url, token);
    expect((await engine.request("POST", `/tokens/${id}/rotate`, { overlap: "0s" })).status).toBe(200);
    expect((await withCookie(pair, { path: "/session" })).body).toMatchObject({ token_id: id });
  });

  test("ends when it is closed: its cookie is taken away, and of no use to whoever kept it", async () => {
    const { token } = await issue();
    const [closed, other] = [await logIn(engine.url, token), await logIn(engine.url, token)];
    const reply = await withCookie(closed.pair, { method: "DELETE", path: "/session", headers: OWN_PAGE() });
    expect(reply.body).toEqual({ status: "logged_out" });
    const cleared = cookieOf(reply);
    expect([cleared.name, cleared.value, cleared.attributes]).toEqual([
      "envm_session",
      "",
      ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=0"],
    ]);
    for (const asked of [{ path: "/env" }, { method: "DELETE", path: "/session", headers: OWN_PAGE() }]) {
      expectCode(await withCookie(closed.pair, asked), 401, "unauthorized");
    }
    expect((await withCookie(other.pair, { path: "/session" })).status).toBe(200);
    expect((await ask({ path: "/session", headers: bearer(token) })).status).toBe(200);
  });

  test("leaves its secret, and its token's, nowhere on the disk", async () => {
    const { token } = await issue();
    const cookies = [await logIn(engine.url, token), await logIn(engine.url, ROOT)];
    for (const { pair } of cookies) await withCookie(pair, { path: "/env" });
    await withCookie(cookies[0]?.pair ?? "", { method: "DELETE", path: "/session", headers: OWN_PAGE() });
    const files = await readdir(engine.directory);
    expect(files).toEqual(expect.arrayContaining(["env.db", "env.db-wal"]));
    const bytes = Buffer.concat(await Promise.all(files.map((name) => readFile(join(engine.directory, name)))));
    for (const secret of [token.slice(-43), ...cookies.map(({ value }) => value)]) {
      const raw = Buffer.from(secret, "base64url");
      for (const form of [secret, raw, raw.toString("hex"), raw.toString("base64")]) expect(bytes.includes(form)).toBe(false);
      expect(engine.output()).not.toContain(secret);
    }
    expect(bytes.includes(ROOT)).toBe(false);
    expect(engine.output()).not.toContain(ROOT);
  });
});

/** Tokens as they are listed, but for when they were last used. */
function withoutUse(page: unknown): unknown {
  const { items } = page as { readonly items: readonly Readonly<Record<string, unknown>>[] };
  return items.map((item) => ({ ...item, last_used_at: null }));
}

describe("X-Forwarded-Proto that nobody vouches for changes nothing", () => {
  test("whatever it says, and whatever else a proxy would say", async () => {
    for (const headers of [
      { "x-forwarded-proto": "https" },
      { "x-forwarded-proto": "https, http" },
      { "x-forwarded-ssl": "on", "front-end-https": "on", forwarded: "proto=https", "x-forwarded-host": "evil.example" },
    ]) {
      const reply = await ask({ method: "POST", path: "/session", headers, body: { token: ROOT } });
      const { name, attributes, pair } = cookieOf(reply);
      expect([name, attributes.includes("Secure")]).toEqual(["envm_session", false]);
      expect(reply.headers).not.toHaveProperty("strict-transport-security");
      expect((await withCookie(pair, { path: "/session", headers })).status).toBe(200);
    }
  });
});

describe("behind a proxy that is trusted", () => {
  const behind = useEngine({ token: ROOT, env: { ENV_MANAGER_TRUSTED_PROXIES: "loopback" } });
  const TLS = { "x-forwarded-proto": "https" };

  test("over TLS the cookie is Secure and has a name that no other host can set, and browsers are told to come back so", async () => {
    const reply = await send(behind.url, { method: "POST", path: "/session", headers: TLS, body: { token: ROOT } });
    const { name, attributes, pair } = cookieOf(reply);
    expect(name).toBe("__Host-envm_session");
    expect(attributes.filter((attribute) => !attribute.startsWith("Max-Age="))).toEqual([
      "Path=/",
      "HttpOnly",
      "SameSite=Strict",
      "Secure",
    ]);
    expect(reply.headers["strict-transport-security"]).toMatch(/^max-age=\d{8,}/);
    const cookie = { cookie: pair, ...TLS };
    const read = await send(behind.url, { path: "/session", headers: cookie });
    expect([read.status, read.body.actor]).toEqual([200, "root"]);
    expect(read.headers).toHaveProperty("strict-transport-security");
    const origin = behind.url.replace("http:", "https:");
    const closed = await send(behind.url, { method: "DELETE", path: "/session", headers: { ...cookie, origin } });
    expect(closed.status, closed.text).toBe(200);
    expect(cookieOf(closed)).toMatchObject({ name: "__Host-envm_session", value: "" });
    expect(cookieOf(closed).attributes).toContain("Secure");
    expectCode(await send(behind.url, { path: "/session", headers: cookie }), 401, "unauthorized");
  });

  test("a cookie without the prefix, which another host may have set, is none over TLS", async () => {
    const { value } = await logIn(behind.url, ROOT, TLS);
    const asked = (cookie: string) => send(behind.url, { path: "/session", headers: { cookie, ...TLS } });
    expectCode(await asked(`envm_session=${value}`), 401, "unauthorized");
    const { value: other } = await logIn(behind.url, ROOT);
    expectCode(await asked(`envm_session=${other}`), 401, "unauthorized");
    expect((await asked(`envm_session=${other}; __Host-envm_session=${value}`)).status).toBe(200);
  });

  test("without TLS it is as it is without a proxy", async () => {
    for (const headers of [{}, { "x-forwarded-proto": "http" }]) {
      const reply = await send(behind.url, { method: "POST", path: "/session", headers, body: { token: ROOT } });
      expect(cookieOf(reply).name).toBe("envm_session");
      expect(cookieOf(reply).attributes).not.toContain("Secure");
      expect(reply.headers).not.toHaveProperty("strict-transport-security");
    }
  });
});

describe("after a restart", () => {
  const OTHER_ROOT = "another-root-token-of-these-tests";
  const first = new Engine({ token: ROOT });
  const second = new Engine({ token: OTHER_ROOT, env: { STORE_URL: `sqlite:${join(first.directory, "env.db")}` } });
  let cookies: Readonly<Record<"root" | "token" | "closed", string>>;

  beforeAll(async () => {
    await first.start();
    const made = await first.request<Issued>("POST", "/tokens", { name: "ada", role: "reader", projects: ["*"] });
    const [root, token, closed] = await Promise.all([ROOT, made.body.token, ROOT].map((shown) => logIn(first.url, shown)));
    cookies = { root: root?.pair ?? "", token: token?.pair ?? "", closed: closed?.pair ?? "" };
    await send(first.url, { method: "DELETE", path: "/session", headers: { cookie: cookies.closed, origin: first.url } });
    await first.restart();
  }, 120_000);
  afterAll(async () => {
    await second.dispose();
    await first.dispose();
  });

  const statusOn = async ({ url }: Engine, cookie: string) => (await send(url, { path: "/session", headers: { cookie } })).status;

  test("sessions go on, and closed ones stay closed; with another root token, those of the one before are over", async () => {
    expect(await statusOn(first, cookies.root)).toBe(200);
    expect(await statusOn(first, cookies.token)).toBe(200);
    expect(await statusOn(first, cookies.closed)).toBe(401);
    await first.stop();
    await second.start();
    expect(await statusOn(second, cookies.root)).toBe(401);
    expect(await statusOn(second, cookies.closed)).toBe(401);
    expect(await statusOn(second, cookies.token)).toBe(200);
    expectCode(await send(second.url, { path: "/env", headers: bearer(ROOT) }), 401, "unauthorized");
    const { pair } = await logIn(second.url, OTHER_ROOT);
    expect(await statusOn(second, pair)).toBe(200);
    await second.stop();
    await first.start();
    expect(await statusOn(first, pair)).toBe(401);
  });
});

test("a session's writes are in the audit log as its token's, and the chain holds", async () => {
  const project = new Project(engine, "audited");
  const { id, token } = await issue({ name: "lin" });
  const { pair } = await logIn(engine.url, token);
  const body = { project_id: project.id, new_environment: "staging" };
  expect((await withCookie(pair, { method: "POST", path: "/env/create", headers: OWN_PAGE(), body })).status).toBe(201);
  expect(await project.read<Verified>(project.path("audit", "verify"))).toMatchObject({ valid: true });
  const { items } = await project.read<{ readonly items: readonly unknown[] }>(project.path("audit"));
  expect(items).toMatchObject([{ action: "create", actor: "lin", subject: "lin", token: id }]);
  expectError(await engine.request("POST", "/env/create", body), 409, "environment_exists");
});
