import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import Database from "../../src/storage/sqlite-driver.cjs";
import { Canaries } from "./canaries.ts";
import { ByteSearch, encodingsOf } from "./search.ts";

/** What the canary run looks with: a value that is somewhere is found, however it is written. */

const SPECIAL = 'p"ä\\/ 🚀\n+&';

describe("a planted canary is found", () => {
  const canaries = new Canaries();
  const plain = canaries.mint("plain");
  const odd = canaries.mint("odd", (core) => `${SPECIAL}${core}${SPECIAL}`);
  const noise = Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7_919) % 256));
  const found = (content: Buffer | string) => canaries.find("here", content).map(({ canary }) => canary);

  test.each(["plain", "odd"])("in every encoding: %s", (name) => {
    for (const [encoding, bytes] of encodingsOf(canaries.value(name))) {
      expect(found(Buffer.concat([noise, bytes, noise])), encoding).toEqual([name]);
      expect(found(bytes), encoding).toEqual([name]);
    }
  });

  test.each([0, 1, 2, 3, 4, 5])("in the base64 of something that it begins %i bytes into", (shift) => {
    for (const encoding of ["base64", "base64url"] as const) {
      for (const value of [plain, odd]) {
        const around = Buffer.concat([noise.subarray(0, shift), Buffer.from(value), noise.subarray(0, 7)]);
        expect(found(around.toString(encoding))).toHaveLength(1);
      }
    }
  });

  test("with one half cut off, and in capitals", () => {
    expect(found(plain.slice(0, 12))).toEqual(["plain"]);
    expect(found(plain.slice(-12))).toEqual(["plain"]);
    expect(found(plain.slice(0, 18).toUpperCase())).toEqual(["plain"]);
    expect(found(Buffer.from(plain.slice(6)).toString("hex"))).toEqual(["plain"]);
  });

  test("as the member of a JSON text that is a member of another", () => {
    expect(found(JSON.stringify({ body: JSON.stringify({ value: odd }) }))).toEqual(["odd"]);
  });

  test("at the first byte, at the last, and beside another", () => {
    expect(found(`${plain}${odd}`)).toEqual(["plain", "odd"]);
    expect(found(Buffer.concat([Buffer.from(odd), noise, Buffer.from(plain)]))).toEqual(["odd", "plain"]);
  });

  test("unless it is shown for a reason", () => {
    expect(canaries.find("here", `${plain} ${odd}`, ["plain"])).toEqual([{ canary: "odd", place: "here", encoding: "as it is" }]);
  });

  test("and nothing is found where there is none", () => {
    expect(found(noise)).toEqual([]);
    expect(found("")).toEqual([]);
    expect(found(plain.slice(0, 11))).toEqual([]);
    expect(found([...plain].reverse().join(""))).toEqual([]);
    expect(new Canaries().find("here", noise)).toEqual([]);
  });
});

test("what is no Unicode can be looked for as well", () => {
  const search = new ByteSearch([...encodingsOf("half a pair \ud800")].map(([label, bytes]) => ({ label, bytes })));
  expect(search.find(Buffer.from(JSON.stringify("half a pair \ud800")))).toMatchObject([{ label: "in JSON" }]);
});

test("of a token, the part that nobody may see is what is looked for", () => {
  const canaries = new Canaries();
  const secret = "S3cr3t-part_of-a-t0ken-that-is-long-enough";
  canaries.remember("token", `envm_0123456789abcdef_${secret}`, secret);
  expect(canaries.find("here", "envm_0123456789abcdef_")).toEqual([]);
  expect(canaries.find("here", `${secret.slice(0, 20)}…`)).toHaveLength(1);
});

test("a key is found as bytes and as text", () => {
  const canaries = new Canaries();
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => (index * 37 + 11) % 256));
  canaries.rememberBytes("key", key);
  for (const content of [key, key.toString("hex"), key.toString("base64"), key.toString("base64url"), `"${key.toString("base64")}"`]) {
    expect(canaries.find("here", content)).toHaveLength(1);
  }
});

test("files and rows are looked through, key files are not", () => {
  const folder = mkdtempSync(join(tmpdir(), "canary-"));
  try {
    const canaries = new Canaries();
    const value = canaries.mint("value");
    writeFileSync(join(folder, "env.db.key"), value);
    expect(canaries.findInFiles("files", folder)).toEqual([]);
    writeFileSync(join(folder, "env.log"), `… ${value} …`);
    expect(canaries.findInFiles("files", folder)).toEqual([{ canary: "value", place: "files: env.log", encoding: "as it is" }]);
    const db = new Database(join(folder, "env.db"));
    db.exec("CREATE TABLE document (key TEXT, value TEXT, data BLOB)");
    db.prepare("INSERT INTO document VALUES (?, ?, ?)").run("text", JSON.stringify({ value: "x".repeat(20_000) + value }), null);
    db.prepare("INSERT INTO document VALUES (?, ?, ?)").run("blob", "", Buffer.from(`x${value}`, "utf16le"));
    db.close();
    const rows = canaries.findInRows("rows", join(folder, "env.db"));
    expect(rows.map(({ place, encoding }) => [place, encoding])).toEqual([
      ['rows: document "text"', "as it is"],
      ['rows: document "blob"', expect.stringContaining("UTF-16")],
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe("the search", () => {
  test("finds what begins alike, what overlaps, and each once", () => {
    const search = new ByteSearch(["abcd", "abcde", "bcde"].map((text) => ({ bytes: Buffer.from(text), label: text })));
    expect(search.find(Buffer.from("xxabcdefabcdef")).map(({ label, at }) => [label, at])).toEqual([
      ["abcd", 2],
      ["abcde", 2],
      ["bcde", 3],
    ]);
    expect(search.find(Buffer.from("abc"))).toEqual([]);
  });

  test("refuses what would be found everywhere", () => {
    expect(() => new ByteSearch([{ bytes: Buffer.from("abc"), label: "abc" }])).toThrow("too short");
  });
});
