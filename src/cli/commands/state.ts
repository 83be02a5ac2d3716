import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isObject } from "../../json.ts";
import { BOUNDS } from "../bounds.ts";
import { started } from "../child.ts";
import { does, group, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { parsedDocument } from "../documents.ts";
import { Failure, failed, usage } from "../failure.ts";
import { isStdout, readText, writeWhole } from "../files.ts";
import { counted } from "../telling.ts";
import { readDocument } from "../values.ts";

type State = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Editing {
  readonly message?: string;
  readonly version?: string;
  readonly dryRun?: boolean;
}

const DRY_RUN = "say what would change, and change nothing";

const get = () =>
  does<{ readonly at?: string }>(
    leaf("get", {
      summary: "Components as JSON: all of them, a collection, or one",
      examples: ["envm state get flows/welcome -e staging", "envm state get entities", "envm state get --json"],
    }).argument("[name]", "collection, or collection/name"),
    async (context, _options, name?: string) => {
      const { client, output, project } = context;
      const env = await context.env();
      const { collection, component } = split(name);
      if (collection === null) {
        const reply = await context.watched("Reading", (watched) => watched.getState({ project, env }));
        return output.mode === "json" ? output.json(reply) : output.line(JSON.stringify(reply.state, null, 2));
      }
      if (component === null) {
        const reply = await client.getCollection({ project, env, collection });
        if (output.mode === "plain") return output.lines(Object.keys(reply.components).map((each) => `${collection}/${each}`));
        return output.mode === "json" ? output.json(reply) : output.line(JSON.stringify(reply.components, null, 2));
      }
      const reply = await client.getComponent({ project, env, collection, name: component });
      return output.mode === "json" ? output.json(reply) : output.line(JSON.stringify(reply.component, null, 2));
    },
  );

function split(name: string | undefined): { readonly collection: string | null; readonly component: string | null } {
  if (name === undefined) return { collection: null, component: null };
  const slash = name.indexOf("/");
  return slash === -1 ? { collection: name, component: null } : { collection: name.slice(0, slash), component: name.slice(slash + 1) };
}

const put = () =>
  does<Editing>(
    leaf("put", {
      summary: "Add or replace one component",
      examples: [
        "envm state put flows/welcome @welcome.json -e development",
        `envm state put entities/Customer '{"fields":{"name":"text"}}' -m 'Customers'`,
      ],
    })
      .argument("<name>", "collection/name")
      .argument("[json]", "its body: JSON, @FILE, or - for standard input, which is read where none is given")
      .option("--version <version>", "the exact version to make")
      .option("-m, --message <why>", "why")
      .option("--dry-run", DRY_RUN),
    async (context, options, name = "", typed?: string) => {
      if (typed === undefined && process.stdin.isTTY)
        throw usage(`The body of ${name} is not given.`, `For example: envm state put ${name} @FILE`);
      const given = typed ?? "-";
      const isElsewhere = given === "-" || given.startsWith("@");
      const text = isElsewhere ? await readDocument(given) : given;
      const body = await parsedDocument(text, given.startsWith("@") ? given.slice(1) : `the body of ${name}`);
      // A file's name without its @ is YAML too.
      if (!isElsewhere && typeof body === "string" && !text.trim().startsWith('"'))
        throw usage(`The body of ${name} is no JSON.`, `Write a text in quotes: '${JSON.stringify(body)}'. A file is named @FILE.`);
      return patched(context, { set: { [name]: body } }, options);
    },
  );

const remove = () =>
  does<Editing>(
    leaf("unset", { summary: "Remove components", aliases: ["rm", "delete"], examples: ["envm state rm flows/old -e development"] })
      .argument("<name...>", "collection/name")
      .option("--version <version>", "the exact version to make")
      .option("-m, --message <why>", "why")
      .option("--dry-run", DRY_RUN),
    (context, options, ...names) => patched(context, { remove: names }, options),
  );

interface Patch {
  readonly set?: Readonly<Record<string, unknown>>;
  readonly remove?: readonly string[];
  readonly ifMatch?: string;
}

async function patched(context: Context, patch: Patch, editing: Editing): Promise<void> {
  const { client, project } = context;
  const env = await context.env();
  if (!editing.dryRun) await context.confirmProduction(env, `${env} is production.`, { grave: patch.remove !== undefined });
  const request = { project, env, ...patch, ...saidOf(editing) };
  // A component is any JSON value, which what was parsed is.
  const reply = await client.patchState(request as Parameters<typeof client.patchState>[0]);
  return told(context, reply);
}

function saidOf({ message, version, dryRun }: Editing) {
  return { ...(message !== undefined && { message }), ...(version !== undefined && { version }), ...(dryRun && { dry_run: true }) };
}

interface Changes {
  readonly components_added: number;
  readonly components_changed: number;
  readonly components_removed: number;
}

function told(
  { output }: Context,
  reply: { readonly status: string; readonly env: string; readonly version: string; readonly revision: number; readonly changes: Changes },
): void {
  if (output.mode === "json") output.json(reply);
  const { components_added: added, components_changed: changed, components_removed: removed } = reply.changes;
  const isPlan = reply.status === "planned";
  if (reply.status === "no_changes" || (isPlan && added + changed + removed === 0)) output.say(`Nothing changes in ${reply.env}.`);
  else if (isPlan) output.say(`Would change in ${reply.env}: ${added} added, ${changed} changed, ${removed} removed. Nothing was changed.`);
  else output.say(`${reply.env} is ${reply.version}, revision ${reply.revision}.`, "good");
}

const edit = () =>
  does<Editing>(
    leaf("edit", {
      summary: "Edit one component in your editor (VISUAL, EDITOR)",
      about: "Refused where somebody else changed the environment meanwhile; what was typed is kept then",
      examples: ["EDITOR=true envm state edit flows/welcome -e development"],
    })
      .argument("<name>", "collection/name; a new one begins empty")
      .option("--version <version>", "the exact version to make")
      .option("-m, --message <why>", "why"),
    async (context, options, name = "") => {
      const { client, project } = context;
      const { collection, component } = split(name);
      if (collection === null || component === null)
        throw usage(`${name} names no component.`, "Give collection/name, for example flows/welcome.");
      const editor = process.env["VISUAL"]?.trim() || process.env["EDITOR"]?.trim();
      if (!editor) throw usage("There is no editor.", "Set EDITOR, or use envm state put.");
      const env = await context.env();
      const before = await client.answer("getComponent", { project, env, collection, name: component }).catch((error: unknown) => {
        if ((error as { code?: unknown }).code === "component_not_found") return null;
        throw error;
      });
      // Of one that there is not, the tag is that of what is read with it.
      const ifMatch = (before ?? (await client.answer("getConfig", { project, env }))).etag;
      const original = before?.body === undefined || before.body === null ? "{}\n" : `${JSON.stringify(before.body.component, null, 2)}\n`;
      const edited = await editedText(context, editor, original, `${component.replaceAll(/[^\w.-]/g, "_").slice(0, 64)}.json`);
      if (edited === null) return unchanged(context);
      try {
        await patched(context, { set: { [name]: edited.value }, ...(ifMatch !== null && { ifMatch }) }, options);
      } catch (error) {
        context.output.note(`What you typed is in ${await kept(edited.text)}.`);
        throw error;
      }
    },
  );

function unchanged({ output }: Context): void {
  if (output.mode === "json") output.json({ status: "no_changes" });
  output.say("Nothing was changed.");
}

/** What the editor left, parsed; `null` where it left everything as it was. Who typed what is not valid may go on with it. */
async function editedText(
  context: Context,
  editor: string,
  original: string,
  file: string,
): Promise<{ value: unknown; text: string } | null> {
  const folder = await mkdtemp(join(tmpdir(), "envm-"));
  const path = join(folder, file);
  try {
    await writeFile(path, original, { mode: 0o600 });
    for (let attempt = 1; ; attempt++) {
      const code = await started({ command: `${editor} "$1"`, args: [path], shell: true, env: process.env }).ended;
      if (code !== 0) throw failed(`The editor ended with ${code}.`, "Nothing was changed.");
      const text = await readText(path, BOUNDS.inputBytes);
      if (text === original) return null;
      try {
        return { value: await parsedDocument(text, "what you typed"), text };
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        context.output.error(error.message, error.fix);
        if (attempt < BOUNDS.attempts && context.prompts.possible && (await context.prompts.yes("Edit it again?"))) continue;
        context.output.note(`What you typed is in ${await kept(text)}.`);
        throw error;
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function kept(text: string): Promise<string> {
  const path = join(tmpdir(), `envm-edit-${randomBytes(6).toString("hex")}.json`);
  await writeWhole(path, text, { mode: 0o600 });
  return path;
}

const importState = () =>
  does<Editing & { readonly keep?: boolean }>(
    leaf("import", {
      summary: "Replace the platform state by a file's, in one revision",
      about:
        "The file holds {collection: {name: component}}, as JSON or YAML: what `envm state export` writes; what `envm state get --json` prints is taken too. What it does not name is removed, unless --keep",
      examples: [
        "envm state import platform.json -e development --dry-run",
        "envm state import platform.json -e development -m 'First import'",
        "envm state import feature.json --keep -e development",
      ],
    })
      .argument("<file>", "the file, or - for standard input")
      .option("--keep", "keep the components that the file does not name")
      .option("--version <version>", "the exact version to make")
      .option("-m, --message <why>", "why")
      .option("--dry-run", DRY_RUN),
    async (context, { keep, ...editing }, file = "") => {
      const { output, project } = context;
      const env = await context.env();
      const state = stateIn(await parsedDocument(await readDocument(file, BOUNDS.stateBytes), file), file);
      const count = Object.values(state).reduce((sum, collection) => sum + Object.keys(collection).length, 0);
      await checkMeant(context, env, state, file, editing.dryRun === true);
      if (!editing.dryRun) await context.confirmProduction(env, `${env} is production.`, { grave: true });
      const common = { project, env, ...saidOf(editing) };
      const reply = await context.watched(`Sending ${counted(count, "component")}`, (client) => {
        const set = Object.fromEntries(
          Object.entries(state).flatMap(([name, all]) => Object.entries(all).map(([each, body]) => [`${name}/${each}`, body])),
        );
        // Components are any JSON values, which what was parsed is.
        if (keep) return client.patchState({ ...common, set } as Parameters<typeof client.patchState>[0]);
        return client.replaceState({ ...common, state } as Parameters<typeof client.replaceState>[0]);
      });
      if (reply.status === "updated") {
        const { components_added: added, components_changed: changed, components_removed: removed } = reply.changes;
        output.say(`${added} added, ${changed} changed, ${removed} removed.`);
      }
      return told(context, reply);
    },
  );

/** Also an answer of the engine that was kept: `{"project_id", "env", …, "state": {…}}`. */
function stateIn(content: unknown, file: string): State {
  const isWrapped = isObject(content) && isObject(content["state"]);
  const all = isWrapped && "revision" in content ? content["state"] : content;
  if (isObject(all) && Object.keys(all).length > 0 && Object.values(all).every(isObject)) return all as State;
  if (isWrapped) throw usage(`${file} holds more than a platform state.`, 'Give what is under "state" alone.');
  throw usage(
    `${file} holds no platform state.`,
    'Write {"collection":{"name":{…}}}, for example {"entities":{"Customer":{"fields":{}}}}.',
  );
}

/**
 * `{"state": {…}}` is a request's body, as whoever knows the API writes it, or a platform whose one collection is called so. Where the
 * environment has none of that name, whoever imports it says which: the other would take the place of all that is there.
 */
async function checkMeant(context: Context, env: string, state: State, file: string, isPlan: boolean): Promise<void> {
  const { state: only, ...others } = state;
  if (only === undefined || Object.keys(others).length > 0 || !Object.values(only).every(isObject)) return;
  const { client, output, options, project } = context;
  const known = await client.getCollection({ project, env, collection: "state" }).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === "collection_not_found") return null;
    throw error;
  });
  if (known !== null) return;
  const all = Object.keys(only);
  const names = all.slice(0, BOUNDS.namesTold).join(", ") + (all.length > BOUNDS.namesTold ? ", …" : "");
  const taken = `${file} is taken as one collection that is called state, with the components ${names}. Where it wraps a platform state, give what is under "state".`;
  if (isPlan || options.yes) output.warn(taken);
  else await context.confirm(`${taken} Is a collection called state meant?`);
}

const exportState = () =>
  does<{ readonly output?: string; readonly format?: string }>(
    leaf("export", {
      summary: "The platform state as a file that can be imported",
      aliases: ["pull"],
      examples: ["envm state export -e staging -o platform-copy.json", "envm state export --format yaml"],
    })
      .argument("[file]", "the same as -o")
      .option("-o, --output <file>", "the file to write, as a whole or not at all")
      .option("--format <format>", "json or yaml", "json"),
    async (context, { output: named, format = "json" }, argument?: string) => {
      const { output, project } = context;
      if (format !== "json" && format !== "yaml") throw usage(`There is no format ${format}.`, "Formats: json, yaml.");
      const env = await context.env();
      const { state } = await context.watched("Reading", (client) => client.getState({ project, env }));
      const text = format === "json" ? `${JSON.stringify(state, null, 2)}\n` : (await import("../yaml.ts")).stringify(state);
      const file = named ?? argument;
      if (isStdout(file)) return output.flowing(text);
      await writeWhole(file, text);
      if (output.mode === "json") return output.json({ status: "exported", file });
      output.say(`Wrote the platform state of ${env} to ${file}.`, "good");
    },
  );

export const state = () =>
  group("state", "Platform state: the components that travel", [], [get(), put(), remove(), edit(), importState(), exportState()], {
    meant: { set: ["put", "edit"], add: ["put"], create: ["put"], update: ["put", "edit"] },
  });
