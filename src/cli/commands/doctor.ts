import { packageVersion } from "../../package.ts";
import type { Client } from "../../sdk/client.ts";
import { EnvmError } from "../../sdk/errors.ts";
import { BOUNDS } from "../bounds.ts";
import { does, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { checkLines, counted, moment, names, oldestOf, span } from "../telling.ts";
import { grantLine } from "./whoami.ts";

interface Finding {
  readonly name: string;
  readonly status: "passed" | "warning" | "failed";
  readonly reason: string;
  /** What to type, or do, next. */
  readonly fix?: string;
}

export const doctor = () =>
  does(
    leaf("doctor", {
      summary: "Whether everything that envm needs is there, and what to do where it is not",
      about:
        "Looks at the engine and what it depends on, the token and its rights, the clocks, the project and the environment. Exit code 1 where something fails",
      examples: ["envm doctor", "envm doctor --json"],
    }),
    async (context) => {
      const { output } = context;
      const findings: Finding[] = [];
      for await (const finding of examined(context)) {
        findings.push(finding);
        if (output.mode === "json") continue;
        for (const line of checkLines(finding))
          output.line(output.paint(line, finding.status === "passed" ? "good" : finding.status === "failed" ? "bad" : "warn"));
      }
      const failed = findings.some(({ status }) => status === "failed");
      if (output.mode === "json") output.json({ status: failed ? "failed" : "ok", findings });
      return failed ? EXIT.failed : EXIT.ok;
    },
  );

const passed = (name: string, reason: string): Finding => ({ name, status: "passed", reason });
const warning = (name: string, reason: string, fix: string): Finding => ({ name, status: "warning", reason, fix });
const failing = (name: string, reason: string, fix: string): Finding => ({ name, status: "failed", reason, fix });

/** One thing after the other: what nothing else can work without comes first, and ends it. */
async function* examined(context: Context): AsyncGenerator<Finding> {
  const { settings } = context;
  yield passed("address", `${settings.url}, from ${settings.urlFrom}`);
  const clock: Clock = { theirs: null, asked: 0 };
  const client = context.newClient({ fetch: clockedFetch(clock), timeoutMs: BOUNDS.doctorMs });
  try {
    const { version } = await client.getHealth(undefined, { retries: 0 });
    const mine = packageVersion();
    yield version === mine
      ? passed("engine", `answers, version ${version}`)
      : warning("engine", `answers, version ${version}; envm is ${mine}`, "Use the same version of both.");
  } catch (error) {
    yield failing("engine", told(error), fixOf(error) || "Start it: envm serve");
    return;
  }
  yield clockFinding(clock);
  yield* readiness(client);
  const token = await tokenFinding(context, client);
  yield token;
  if (token.status === "failed") return;
  yield* projectFindings(context, client);
}

interface Clock {
  theirs: number | null;
  asked: number;
}

function clockedFetch(clock: Clock): (input: string, init: RequestInit) => Promise<Response> {
  return async (input, init) => {
    clock.asked = Date.now();
    const response = await fetch(input, init);
    const date = Date.parse(response.headers.get("date") ?? "");
    clock.theirs = Number.isNaN(date) ? null : date;
    return response;
  };
}

function clockFinding({ theirs, asked }: Clock): Finding {
  if (theirs === null)
    return warning("clock", "the engine, or what stands before it, does not tell its time", "Compare the clocks of both machines.");
  const off = theirs - asked;
  if (Math.abs(off) <= BOUNDS.clockMs) return passed("clock", "goes with the engine's");
  return warning(
    "clock",
    `differs from the engine's by ${span(off)}`,
    "Let both machines take their time from a time server: expiries are the engine's.",
  );
}

async function* readiness(client: Client): AsyncGenerator<Finding> {
  const { checks } = await client.getReadiness();
  for (const [name, { status, reason, since, last_error }] of Object.entries(checks)) {
    const why = [reason, since && `since ${moment(since)}`, last_error && `last: ${last_error}`].filter(Boolean).join("; ");
    if (status === "ok") yield passed(name, "ok");
    else if (status === "degraded" && name === "store")
      yield failing(
        name,
        why || "takes no writes",
        "Make room where the engine keeps its database (df -h there): writes then succeed again by themselves. Do not stop the engine before.",
      );
    else if (status === "degraded")
      yield warning(name, why || "does not work just now", "What needs it fails until it is back; everything else goes on.");
    else
      yield failing(
        name,
        why || "cannot be reached",
        `Bring it back: see the engine's log${name === "store" ? ", and npm run store:check" : ""}.`,
      );
  }
}

async function tokenFinding({ settings }: Context, client: Client): Promise<Finding> {
  try {
    const { actor, token_id, grants } = await client.getSession();
    const rights = grants.map(grantLine).join("; ");
    const reason = `${actor}, by ${settings.tokenFrom ?? "no token: the engine asks for none"}: ${rights}`;
    const ends = await expiry(client, token_id);
    if (ends !== null && ends - Date.now() < SOON_MS)
      return warning("token", `${reason}; it ends in ${span(ends - Date.now())}`, `Replace it: envm token rotate ${token_id}`);
    return passed("token", reason);
  } catch (error) {
    const fix =
      settings.token === null
        ? "Log in: envm login, or set ENVM_TOKEN."
        : `The token comes from ${settings.tokenFrom}. Log in anew: envm login`;
    return failing("token", told(error), fix);
  }
}

const SOON_MS = 7 * 24 * 60 * 60_000;

/** Told to those alone who may look at tokens. */
async function expiry(client: Client, id: string): Promise<number | null> {
  try {
    const { expires_at } = await client.getToken({ id });
    return expires_at === null ? null : Date.parse(expires_at);
  } catch {
    return null;
  }
}

async function* projectFindings(context: Context, client: Client): AsyncGenerator<Finding> {
  const { project } = context.settings;
  if (project === null) return yield warning("project", "none is named", "Name one: envm init, -p PROJECT or ENVM_PROJECT.");
  try {
    const { items } = await client.listEnvironments({ project, limit: BOUNDS.page });
    yield passed("project", `${project}, with ${items.length === 0 ? "no environment" : names(items.map((item) => item.env))}`);
    yield* sinkFindings(client, project);
    if (context.settings.env === null)
      return yield warning("environment", "none is named", "Name one with each command (-e ENV), or let envm init write it.");
    const env = await context.env();
    const found = items.find((item) => item.env === env);
    if (found === undefined)
      return yield warning("environment", `${project} has no ${env} that this token may read`, "envm env list shows what there is.");
    if (found.config_complete) return yield passed("environment", `${env} is ${found.version}, ${found.status}`);
    yield warning(
      "environment",
      `${env} lacks ${names(found.unbound)}`,
      `Set it: envm ${found.unbound[0]?.startsWith("secrets/") ? "secret" : "var"} set NAME -e ${env}`,
    );
  } catch (error) {
    yield failing("project", told(error), fixOf(error));
  }
}

async function* sinkFindings(client: Client, project: string): AsyncGenerator<Finding> {
  const sinks = await client.listSinks({ project }).catch(() => ({ items: [] }));
  for (const { name, state, backlog, backlog_since, last_error } of sinks.items) {
    if (state !== "failing") continue;
    const left = `${counted(backlog, "record")}${oldestOf(backlog_since)}`;
    yield warning(`sink ${name}`, `has not had ${left}: ${last_error?.reason ?? ""}`, "It is tried again by itself.");
  }
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function fixOf(error: unknown): string {
  return error instanceof EnvmError
    ? error.code === "connection_failed"
      ? "Start the engine (envm serve), or name another: --url, ENVM_URL."
      : error.fix
    : "";
}
