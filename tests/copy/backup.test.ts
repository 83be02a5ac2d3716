import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkStore } from "../../src/integrity.ts";
import { openStore } from "../../src/storage/open.ts";
import { temporaryFolder } from "../storage/support.ts";
import { Engine } from "../support/engine.ts";
import { Project } from "../support/project.ts";
import { run } from "./support.ts";

const engine = new Engine();
let project: Project;
let url: string;
let folder: string;

beforeAll(async () => {
  await engine.start();
  url = `sqlite:${join(engine.directory, "env.db")}`;
  folder = temporaryFolder();
  project = new Project(engine, "backup");
  await project.create("dev", { env_variables: { API_KEY: "a secret worth keeping" } });
}, 120_000);
afterAll(() => engine.dispose(), 120_000);

describe("npm run store:backup", () => {
  it("writes a whole copy of one moment while the engine writes, which a restored engine runs on", async () => {
    const [file, key] = [join(folder, "copy.db"), join(folder, "copy.key")];
    let writing = true;
    const writer = (async () => {
      let n = 0;
      for (; writing; n++) await project.patchConfig("dev", { vars: { N: `${n}` } });
      return n;
    })();
    const backedUp = await run("store-backup", [file, "--key", key], { STORE_URL: url });
    writing = false;
    expect(await writer).toBeGreaterThan(0);
    expect(backedUp).toMatchObject({ code: 0, errors: "", output: expect.stringContaining(`Written and checked: ${file}`) });
    for (const path of [file, key]) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(`${file}.partial`)).toBe(false);

    const restored = `sqlite:${join(folder, "restored", "env.db")}`;
    expect(await run("store-restore", [file, "--key", key], { STORE_URL: restored })).toMatchObject({ code: 0, errors: "" });
    const store = await openStore(restored);
    const faults: string[] = [];
    await checkStore(store, { onFault: (_, what) => void faults.push(what) });
    await store.close();
    expect(faults).toEqual([]);

    const other = await new Engine({ env: { STORE_URL: restored } }).start();
    const read = await other.get<{ secrets: Record<string, string>; vars: Record<string, string> }>(`/env/${project.id}/dev/runtime`);
    expect(read.body.secrets.API_KEY).toBe("a secret worth keeping");
    await other.dispose();
  });

  it("says where the key is that the copy does not hold, and leaves that out unless it is asked for", async () => {
    const file = join(folder, "without-key.db");
    const { code, output } = await run("store-backup", [file], { STORE_URL: url });
    expect(code).toBe(0);
    const keyFile = join(engine.directory, "env.db.key");
    expect(output).toContain(keyFile);
    expect(readFileSync(file).includes(readFileSync(keyFile, "utf8").trim())).toBe(false);
    const { output: told } = await run("store-restore", [file], { STORE_URL: `sqlite:${join(folder, "keyless.db")}` });
    expect(told).toContain(`put it into ${join(folder, "keyless.db.key")}`);
  });

  it("writes over nothing, and leaves nothing behind where it fails", async () => {
    const file = join(folder, "mine.txt");
    writeFileSync(file, "mine");
    expect(await run("store-backup", [file], { STORE_URL: url })).toMatchObject({
      code: 1,
      errors: expect.stringContaining("is there already"),
    });
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect((await run("store-backup", [join(folder, "b.db"), "--key", file], { STORE_URL: url })).code).toBe(2);
    expect((await run("store-backup", [join(folder, "no", "folder", "b.db")], { STORE_URL: url })).code).toBe(1);
    expect((await run("store-backup", [join(folder, "b.db")], { STORE_URL: `sqlite:${join(folder, "none.db")}` })).code).toBe(1);
    expect((await run("store-backup", [join(folder, "b.db")], { STORE_URL: "redis://store" })).code).toBe(2);
    // The key's copy cannot be written.
    const keyless = await run("store-backup", [join(folder, "b.db"), "--key", join(folder, "no", "folder.key")], { STORE_URL: url });
    expect(keyless).toMatchObject({ code: 1, errors: expect.stringContaining("Look whether its folder is there") });
    // Another key is no help.
    expect(keyless.errors).not.toContain("openssl");
    // The database's cannot, after the key's was.
    const key = join(folder, "b.key");
    expect((await run("store-backup", [join(folder, "no", "b.db"), "--key", key], { STORE_URL: url })).code).toBe(1);
    for (const name of ["b.db", "b.db.partial", "none.db", "b.key"]) expect(existsSync(join(folder, name))).toBe(false);
  });
});

describe("npm run store:restore", () => {
  it("takes no copy whose newest commits may be in a log beside it, and says what to do", async () => {
    const raw = join(folder, "raw.db");
    // As `cp` makes it of an engine that was killed: what was acknowledged last is in the log.
    copyFileSync(join(engine.directory, "env.db"), raw);
    copyFileSync(join(engine.directory, "env.db-wal"), `${raw}-wal`);
    const place = join(folder, "raw-place", "env.db");
    const refused = await run("store-restore", [raw], { STORE_URL: `sqlite:${place}` });
    expect(refused).toMatchObject({ code: 1, errors: expect.stringContaining(`${raw}-wal lies beside the backup`) });
    expect(existsSync(place)).toBe(false);
    // An empty one holds nothing.
    const file = join(folder, "beside-nothing.db");
    expect((await run("store-backup", [file], { STORE_URL: url })).code).toBe(0);
    writeFileSync(`${file}-wal`, "");
    expect((await run("store-restore", [file], { STORE_URL: `sqlite:${place}` })).code).toBe(0);
  });

  it("writes over no database and no key, and takes nothing that is not a whole backup", async () => {
    const file = join(folder, "good.db");
    expect((await run("store-backup", [file], { STORE_URL: url })).code).toBe(0);
    const used = await run("store-restore", [file], { STORE_URL: url });
    expect(used).toMatchObject({ code: 1, errors: expect.stringContaining("is there already, and nothing is written over it") });
    await project.patchConfig("dev", { vars: { STILL: "here" } });

    const place = join(folder, "place.db");
    writeFileSync(join(folder, "no-key.txt"), "no key\n");
    expect((await run("store-restore", [file, "--key", join(folder, "no-key.txt")], { STORE_URL: `sqlite:${place}` })).code).toBe(1);
    writeFileSync(`${place}.key`, "somebody's key");
    const keyFile = join(engine.directory, "env.db.key");
    expect((await run("store-restore", [file, "--key", keyFile], { STORE_URL: `sqlite:${place}` })).code).toBe(2);
    expect(readFileSync(`${place}.key`, "utf8")).toBe("somebody's key");

    const broken = join(folder, "broken.db");
    const bytes = readFileSync(file);
    bytes.fill(0xff, 8_192, 16_384);
    writeFileSync(broken, bytes);
    writeFileSync(join(folder, "text.db"), "no database");
    for (const bad of [broken, join(folder, "text.db"), join(folder, "missing.db")]) {
      const { code, errors } = await run("store-restore", [bad], { STORE_URL: `sqlite:${place}` });
      expect(code, bad).toBe(1);
      // It is the backup that is at fault, and not the place.
      expect(errors).not.toContain(place);
    }
    for (const name of [place, `${place}.restoring`]) expect(existsSync(name)).toBe(false);
  });

  it("puts database and key there together, or neither, and may then be asked again", async () => {
    const [file, key] = [join(folder, "both.db"), join(folder, "both.key")];
    expect((await run("store-backup", [file, "--key", key], { STORE_URL: url })).code).toBe(0);
    const place = join(folder, "both", "env.db");
    const restore = () => run("store-restore", [file, "--key", key], { STORE_URL: `sqlite:${place}` });
    const placed = () => readdirSync(join(folder, "both")).filter((name) => ["env.db", "env.db.key", "env.db.restoring"].includes(name));

    // Where the key's draft is to be: the key cannot be written.
    mkdirSync(`${place}.key.tmp`, { recursive: true });
    expect(await restore()).toMatchObject({ code: 1, errors: expect.stringContaining(`The key file ${place}.key cannot be written`) });
    expect(placed()).toEqual([]);
    rmdirSync(`${place}.key.tmp`);

    // A link that leads nowhere is no database, and keeps one from its name.
    symlinkSync(join(folder, "nowhere.db"), place);
    expect((await restore()).code).toBe(1);
    rmSync(place);
    expect(placed()).toEqual([]);

    // Left by one that was killed between the two.
    copyFileSync(key, `${place}.key`);
    expect(await restore()).toMatchObject({ code: 0, errors: "" });
    expect(placed()).toEqual(["env.db", "env.db.key"]);
  });
});
