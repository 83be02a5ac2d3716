import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { guardedRoutes } from "../../scripts/access-doc.ts";
import { ROLES } from "../../src/access.ts";
import { rightsOf } from "../../src/http/access-text.ts";
import type { Route } from "../../src/http/route.ts";
import { keys, systemKeys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import { applyEdits, canonicalJson, decoding, EMPTY_ROOT, keyLayer, snapshotId } from "../../src/merkle/index.ts";
import { ACCESS_ACTIONS, PROJECT_ACTIONS } from "../../src/model.ts";
import type { Json } from "../../src/ports.ts";
import { CheckNameSchema } from "../../src/schemas/promotions.ts";
import { useEngine } from "../support/engine.ts";
import { Project } from "../support/project.ts";
import { blocks, code, read, rows, section } from "./support.ts";

const SPEC = read("ENGINE_SPEC.md");

test("the table of the audit chain has every action that a record can have", () => {
  const table = rows(section(SPEC, "## 9. Audit chain").split("### 9.1")[0] ?? "").filter(([, of]) => of !== undefined);
  const told = table.slice(table.findIndex(([actions]) => actions?.startsWith("`create ")));
  const actions = told.flatMap(([actions]) => code(actions ?? "").split(" "));
  expect(actions.sort()).toEqual([...PROJECT_ACTIONS, ...ACCESS_ACTIONS].sort());
});

test("the tables of routes have every route: its operation, and what else it takes", () => {
  const told = rows(section(SPEC, "## 5. Routes")).map(([route, operation]) => `${code(route)} ${operation}`);
  const marks = ({ idempotent, conditional }: Route) => [
    ...(conditional === "read" ? ["tag"] : []),
    ...(idempotent ? ["once"] : []),
    ...(conditional === "write" ? ["match"] : []),
  ];
  const expected = guardedRoutes().map((route) =>
    [`${route.method.toUpperCase()} ${route.path} \`${route.operationId}\``, ...marks(route)].join(" · "),
  );
  expect(told.sort()).toEqual(expected.sort());
});

test("the tables of routes name every field of every body, and every parameter of every query", () => {
  const table = new Map(rows(section(SPEC, "## 5. Routes")).map(([route, , request]) => [code(route), request ?? ""]));
  const shared = ["project_id", "env", "reason", "expires_in", "expires_at"];
  for (const { method, path, body, query } of guardedRoutes()) {
    const told = table.get(`${method.toUpperCase()} ${path}`) ?? "";
    const shape = body !== null && "shape" in body && path !== "/env/:project/policy" ? Object.keys(body.shape as object) : [];
    // Rows that begin with `…` go on from the row above.
    const names = [...shape, ...Object.keys(query.shape)].filter((name) => !(told.includes("…") && shared.includes(name)));
    for (const name of names) expect(told, `${method} ${path}`).toMatch(new RegExp(`\\b${name.replace("$", "")}\\b`));
  }
});

test("the table of limits is src/limits.ts", () => {
  const told = rows(section(SPEC, "## 15. Limits")).map(([name, value]) => [code(name), Number(value?.replaceAll(",", ""))]);
  expect(Object.fromEntries(told)).toEqual(LIMITS);
});

test("the table of roles is src/access.ts", () => {
  const told = rows(section(SPEC, "### 16.1 Roles and rights")).map(([role, rights]) => [code(role), code(rights).split(" ")]);
  expect(told).toEqual(ROLES.map((role) => [role, rightsOf(role)]));
});

test("the table of checks has every check, in order", () => {
  const told = rows(section(SPEC, "### 7.4 The ten checks")).map(([name]) => code(name));
  expect(told).toEqual(CheckNameSchema.options);
});

test("the table of documents has every kind of key", () => {
  const told = rows(section(SPEC, "## 11. Storage")).map(([key]) => code(key).replace(/[/<].*$/, ""));
  for (const key of Object.values(keys)) {
    const text = typeof key === "string" ? key : (key as (...parts: never[]) => string)(...(["a", "b"] as never[]));
    if (text.startsWith("gc/")) expect(SPEC).toContain(`\`${text.startsWith("gc/secrets") ? "gc/secrets/<env>" : text}\``);
    else expect(told).toContain(text.replace(/\/.*$/, ""));
  }
});

test("the table of the system's documents has every kind of key", () => {
  const told = rows(section(SPEC, "## 11. Storage")).map(([key]) => code(key).replace(/[/<].*$/, ""));
  for (const key of Object.values(systemKeys)) {
    const text = typeof key === "string" ? key : (key as (...parts: never[]) => string)(...(["a", "b", "c"] as never[]));
    expect(told).toContain(text.replace(/\/.*$/, ""));
  }
});

describe("the Merkle map's vectors", () => {
  const section10 = section(SPEC, "## 10. Merkle map");
  const vectors = rows(section10.slice(section10.indexOf("**Vectors**"))).map(([map, root]) => ({
    map: JSON.parse(code(map)) as Record<string, Json>,
    node: /node `([0-9a-f]+)`/.exec(map ?? "")?.[1],
    root: code(root),
  }));

  test("are what the engine makes", async () => {
    const source = decoding({ get: async () => [] });
    for (const { map, node, root } of vectors) {
      expect((await applyEdits(source, EMPTY_ROOT, new Map(Object.entries(map)))).root).toBe(root);
      if (node !== undefined) expect(sha256(Buffer.from(node, "hex"))).toBe(root);
    }
    expect(vectors).toHaveLength(3);
    const [empty, one] = vectors;
    expect(SPEC).toContain(snapshotId(one?.root ?? "", empty?.root ?? ""));
  });

  test("follow from the text alone", () => {
    // Another implementation, by what the specification says and nothing else.
    for (const { map, root } of vectors) expect(rootBySpecification(Object.entries(map))).toBe(root);
    expect(["flows/0", "flows/29"].map(layerBySpecification)).toEqual(["flows/0", "flows/29"].map(keyLayer));
  });

  test("are what a larger map follows, too", async () => {
    const map = Array.from({ length: 300 }, (_, index): [string, Json] => [`flows/${index % 7}/${index}`, "x".repeat(index)]);
    const { root } = await applyEdits(decoding({ get: async () => [] }), EMPTY_ROOT, new Map(map));
    expect(rootBySpecification(map)).toBe(root);
  });
});

describe("the audit chain", () => {
  const engine = useEngine();
  const [program = ""] = blocks(section(SPEC, "## 9. Audit chain"), "python");
  const missing = spawnSync("python3", ["--version"]).status !== 0;

  test("is verified by the specification's own program, and one that was changed is not", async (context) => {
    context.skip(missing, "python3 is not installed; tests/domain/audit.test.ts verifies chains in JavaScript");
    const project = new Project(engine);
    await project.create("development", { env_variables: { API_URL: "ünïcode \u0001\t😀", API_KEY: "k" } });
    await project.putState("development", { entities: { Order: { total: 1.5 } } });
    await engine.request("PUT", `/env/${project.id}/policy`, { environments: { development: { approvals: 2, soak: "1h" } } });
    await engine.request("POST", "/env/hold", { project_id: project.id, env: "development", reason: 'Überlast "\\" \u2028 😀' });
    const { text } = await engine.get(`/env/${project.id}/audit/export`);
    const { head } = (await engine.get<{ head: string }>(`/env/${project.id}/audit/verify`)).body;
    expect(await python(program, text)).toEqual({ status: 0, output: `${head}\n` });
    expect((await python(program, text.replace("berlast", "berfluss"))).status).toBe(1);
    expect((await python(program, text.split("\n").slice(1).join("\n"))).status).toBe(1);
  });
});

function python(program: string, input: string): Promise<{ status: number | null; output: string }> {
  const child = spawn("python3", ["-c", program], { stdio: ["pipe", "pipe", "ignore"], env: { ...process.env, PYTHONUTF8: "1" } });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stdin.on("error", () => {}).end(input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, output }));
  });
}

function sha256(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function layerBySpecification(key: string): number {
  const bits = BigInt(`0x${sha256("key\0", key)}`)
    .toString(2)
    .padStart(256, "0");
  return Math.floor(bits.indexOf("1") / 5);
}

function rootBySpecification(map: readonly (readonly [string, Json])[]): string {
  const sorted = [...map].sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  return sorted.length === 0 ? sha256(Uint8Array.of(1, 0, 0)) : treeBySpecification(sorted);
}

function treeBySpecification(entries: readonly (readonly [string, Json])[]): string {
  const layer = Math.max(...entries.map(([key]) => layerBySpecification(key)));
  const own = entries.flatMap(([key], index) => (layerBySpecification(key) === layer ? [index] : []));
  const child = (from: number, to: number): Uint8Array[] => {
    if (layer === 0) return [];
    const part = entries.slice(from, to);
    return part.length === 0 ? [varint(0)] : [varint(part.length), Buffer.from(treeBySpecification(part), "hex")];
  };
  const bytes: Uint8Array[] = [Uint8Array.of(1, layer), varint(own.length)];
  let [previous, from] = [Buffer.alloc(0), 0];
  for (const index of own) {
    const [key, value] = entries[index] as readonly [string, Json];
    const name = Buffer.from(key);
    let shared = 0;
    while (shared < Math.min(name.length, previous.length) && name[shared] === previous[shared]) shared++;
    const text = Buffer.from(canonicalJson(value));
    const stored = text.length <= 64 ? [Uint8Array.of(text.length), text] : [Uint8Array.of(0), Buffer.from(sha256(text), "hex")];
    bytes.push(...child(from, index), varint(shared), varint(name.length - shared), name.subarray(shared), ...stored);
    [previous, from] = [name, index + 1];
  }
  bytes.push(...child(from, entries.length));
  return sha256(...bytes);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) return Uint8Array.from(bytes);
  }
}
