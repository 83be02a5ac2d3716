import { expect } from "vitest";
import type { Members } from "../support/engine.ts";
import type { Run } from "./run.ts";
import { awkward, config, PROJECT, secret } from "./ways.ts";

/** Secrets in requests that are refused, and where they are by mistake, each with a canary of its own. */

type Headers = Record<string, string>;

/** What is refused before it is looked at closely, and after: the value must not come back in the reason. */
export async function refusals(run: Run, reader: Headers): Promise<void> {
  await brokenBodies(run);
  await refusedEdits(run, reader);
  await refusedCreations(run, reader);
  const reveal = `/env/${PROJECT}/development/secrets/reveal`;
  await run.refused("invalid_request", "POST", reveal, { names: run.mint("in place of the names to reveal") });
  await run.refused("forbidden", "POST", reveal, {}, reader);
  await run.refused("forbidden", "GET", `/env/${PROJECT}/development/runtime`, undefined, reader);
}

const patching =
  (run: Run) =>
  (code: string, body: unknown, headers?: Headers, env = "development"): Promise<void> =>
    run.refused(code, "PATCH", config(env), body, headers);

async function brokenBodies(run: Run): Promise<void> {
  const patch = patching(run);
  const text = (name: string) => `{"secrets":{"API_KEY":"${run.mint(name)}`;

  await patch("invalid_json", text("in JSON that breaks off"));
  await patch("invalid_json", `${text("in JSON with a comma too many")}",}}`);
  await patch("invalid_json", `${text("in JSON with an escape that there is not")}\\x"}}`);
  await patch("invalid_json", `${text("in JSON with a control character")}\u0001"}}`);
  await patch("invalid_json", `${text("in JSON with half a surrogate pair")}\\ud800"}}`);
  await patch("invalid_json", `${text("in JSON with a member twice")}","API_KEY":"${run.mint("in the second of two members")}"}}`);
  await patch("invalid_json", Buffer.concat([Buffer.from(text("in what is no UTF-8")), Buffer.from([0xff, 0x22, 0x7d, 0x7d])]));
  await patch("invalid_json", `${text("in JSON that is nested too deep")}","x":${"[".repeat(70)}`);
  await patch("invalid_request", JSON.stringify([run.mint("in a list that is the body")]));
  await patch("invalid_request", JSON.stringify(run.mint("as the body itself")));
  await patch("unsupported_media_type", `API_KEY=${run.mint("in a form")}`, { "content-type": "application/x-www-form-urlencoded" });
  await patch("unsupported_media_type", `${text("in what says that it is compressed")}"}}`, { "content-encoding": "gzip" });
}

async function refusedEdits(run: Run, reader: Headers): Promise<void> {
  const patch = patching(run);
  await patch("invalid_request", { secrets: { API_KEY: [run.mint("in a list")] } });
  await patch("invalid_request", { secrets: { API_KEY: secret(run.mint("in an object")) } });
  await patch("invalid_request", { secrets: run.mint("in place of all secrets") });
  await patch("invalid_request", { secrets: [run.mint("in a list of secrets")] });
  await patch("invalid_request", { password: run.mint("in a field that there is not") });
  await patch("invalid_request", { secrets: {}, API_KEY: run.mint("beside the secrets") });
  await patch("invalid_request", { unset: [1], secrets: { A_KEY: run.mint("beside a list of numbers") } });
  await patch("invalid_name", { secrets: { "no name": run.mint("under a name that is none") } });
  await patch("invalid_request", `{"secrets":{"__proto__":"${run.mint("as the prototype")}"}}`);
  await patch("too_large", { secrets: { API_KEY: run.mint("too large", (core) => core + "x".repeat(70_000)) } });
  await patch("too_large", { secrets: { API_KEY: run.mint("in too large a body", (core) => core + "x".repeat(1_100_000)) } });
  await patch("invalid_request", { secrets: { API_KEY: run.mint("beside an edit that names it twice") }, unset: ["secrets/API_KEY"] });
  await patch("secret_stays_secret", { vars: { API_KEY: run.mint("as a var under a secret's name") } });
  await patch("invalid_request", { vars: { BOTH: "x" }, secrets: { BOTH: run.mint("as a secret and a var") } });
  await patch("invalid_flag", { flags: { beta: "neither" }, secrets: { API_KEY: run.mint("beside a flag that is none") } });
  await patch("version_taken", { version: "v0.1.0", secrets: { TAKEN_KEY: run.mint("under a version that is taken") } });
  await patch("invalid_request", { message: "m".repeat(2_001), secrets: { API_KEY: run.mint("beside too long a message") } });
  await patch("environment_not_found", { secrets: { API_KEY: run.mint("in an environment that there is not") } }, {}, "nowhere");
  await patch("forbidden", { secrets: { API_KEY: run.mint("by somebody who may not") } }, reader);
  await patch("environment_not_found", { secrets: { API_KEY: run.mint("by somebody who does not see it") } }, reader, "production");
  await run.refused("project_not_found", "PATCH", "/env/nobody/development/config", {
    secrets: { API_KEY: run.mint("in a project that there is not") },
  });
  await run.refused("method_not_allowed", "PUT", config("development"), {
    secrets: { API_KEY: run.mint("by a method that there is not") },
  });
  await run.refused("route_not_found", "POST", "/env/secrets/new/here", { secrets: { API_KEY: run.mint("on a route that there is not") } });
}

async function refusedCreations(run: Run, reader: Headers): Promise<void> {
  const creation = (code: string, more: Members, headers?: Record<string, string>) =>
    run.refused(code, "POST", "/env/create", { project_id: PROJECT, new_environment: "refused", ...more }, headers);
  await creation("environment_exists", { new_environment: "staging", env_variables: { API_KEY: run.mint("created again") } });
  await creation("base_not_found", { base_from: "nowhere", env_variables: { API_KEY: run.mint("created from nothing") } });
  await creation("invalid_name", { new_environment: "No Name", env_variables: { API_KEY: run.mint("created without a name") } });
  await creation("invalid_name", { env_variables: { "../KEY": run.mint("created under a name that is none") } });
  await creation("invalid_request", {
    env_variables: { API_KEY: { value: run.mint("created with a switch that is none"), secret: "yes" } },
  });
  await creation("invalid_request", { env_variables: { API_KEY: { value: "x", secret: run.mint("created as a switch") } } });
  await creation("invalid_request", { env_variables: { API_KEY: { secert: true, value: run.mint("created with a misspelt field") } } });
  await creation("secret_stays_secret", {
    base_from: "development",
    env_variables: { PLAIN: { value: run.mint("created as a var"), secret: false } },
  });
  await creation("forbidden", { env_variables: { API_KEY: run.mint("created by somebody who may not") } }, reader);
  await creation("invalid_request", {
    type: "preview",
    expires_in: "soon",
    env_variables: { API_KEY: run.mint("created until some time") },
  });
}

/** Where a secret ends up by mistake: in the query, in headers, in what is not even a request. */
export async function mistakes(run: Run): Promise<void> {
  const path = config("development");
  const query = (name: string) => `${path}?API_KEY=${encodeURIComponent(run.mint(name, awkward))}`;
  await run.refused("invalid_request", "GET", query("in a query"));
  await run.refused("invalid_request", "PATCH", query("in the query of a write"), { vars: {} });
  await run.refused("invalid_request", "GET", `${path}?at=${run.mint("as a revision")}`);
  await run.refused("invalid_request", "GET", `/env/${PROJECT}/audit?limit=${run.mint("as a limit")}`);
  await run.refused("invalid_request", "GET", `/env/${PROJECT}/audit/verify?expect=${run.mint("as a head")}`);
  await run.refused("invalid_request", "GET", `/env/compare?project_id=${PROJECT}&left=staging&right=qa&bodies=${run.mint("as a switch")}`);
  await run.done("GET", `/env/${PROJECT}/audit?actor=${run.mint("as an actor that is looked for")}`);
  await run.refused("route_not_found", "GET", `/nothing/here?token=${run.mint("in the query of no route")}`);

  const read = (code: string, headers: Record<string, string>) => run.refused(code, "GET", path, undefined, headers);
  const write = (code: string, headers: Record<string, string>) => run.refused(code, "PATCH", path, { vars: {} }, headers);
  await read("unauthorized", { authorization: `Bearer ${run.mint("as a token")}` });
  await read("unauthorized", { authorization: `Bearer envm_0123456789abcdef_${run.mint("as a token's secret").padEnd(43, "x")}` });
  await read("unauthorized", { authorization: `Bearer ${run.mint("as a JWT", (core) => `eyJhbGciOiJub25lIn0.${core}.x`)}` });
  await read("unauthorized", { authorization: `Basic ${Buffer.from(`root:${run.mint("as a password")}`).toString("base64")}` });
  await read("unauthorized", { authorization: "", cookie: `envm_session=${run.mint("as a session").padEnd(43, "x")}` });
  await read("forbidden", { "x-actor": run.mint("as an actor") });
  await read("host_not_allowed", { host: run.mint("as a host") });
  await write("origin_not_allowed", { origin: `https://${run.mint("as an origin")}.example` });
  await write("invalid_request", { "idempotency-key": run.mint("as an idempotency key that is none", (core) => `${core} `.repeat(20)) });
  await write("invalid_request", { "if-match": run.mint("as a tag that is none") });
  await write("precondition_failed", { "if-match": `"${run.mint("as a tag")}"` });
  await write("unsupported_media_type", { "content-type": `application/${run.mint("as a media type")}` });
  // What has the form of a request id is one, and is told by design; this has not.
  const told = {
    "x-request-id": run.mint("as a request id that is none", (core) => `${core}==`),
    "user-agent": run.mint("as a client"),
    referer: run.mint("as a page"),
  };
  await run.done("GET", path, undefined, {
    ...told,
    "if-none-match": `"${run.mint("as a tag that is known")}"`,
    "x-odd": run.mint("in a header that nobody knows"),
  });
  await run.done("PATCH", path, { flags: { beta: true } }, { "idempotency-key": run.mint("as an idempotency key") });

  const line = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer`;
  await run.wire("a header with NUL in it", `${line} ${run.mint("in a broken header")}\0\r\n\r\n`);
  await run.wire("an expectation", `${line} x\r\nExpect: ${run.mint("as an expectation")}\r\nConnection: close\r\n\r\n`);
  await run.wire("a method that there is not", `${run.mint("as a method").toUpperCase()} / HTTP/1.1\r\n\r\n`);
  await run.wire(
    "headers that are too large",
    `${line} ${run.mint("in headers that are too large")}\r\nX-Odd: ${"x".repeat(20_000)}\r\n\r\n`,
  );
  await run.wire("a coding", `POST /env/create HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: ${run.mint("as a coding")}\r\n\r\n`);
}

/** A secret that stands where a name belongs is shown to whoever sent it, who has it: it must be nowhere else. */
export async function names(run: Run): Promise<void> {
  const shown = async (name: string, ask: (value: string) => Promise<{ readonly status: number }>) => {
    expect((await ask(run.mint(name))).status).toBeGreaterThanOrEqual(400);
  };
  const send = (name: string) => (path: string, body?: unknown) =>
    run.ask({ method: body === undefined ? "GET" : "PATCH", path, body }, [name]);
  const inPath = "as a name in a path";
  await shown(inPath, (value) => send(inPath)(`/env/${PROJECT}/${value}/config`));
  const inQuery = "as a name in a query";
  await shown(inQuery, (value) => send(inQuery)(`/env/compare?project_id=${PROJECT}&left=${value}&right=staging`));
  const inBody = "as a secret's name";
  await shown(inBody, (value) => send(inBody)(config("development"), { secrets: { [`${value}!`]: "x" } }));
}
