import { spawn, spawnSync } from "node:child_process";

/**
 * The requests of a shell script that is made of comments, assignments, `curl` and `name=$(curl … | field member)`, which takes
 * one member of the reply; and two ways to send them.
 */

export interface Step {
  /** The statement as it stands in the script. */
  readonly statement: string;
  /** The status and, where it names one, the word that the comment before it promises. */
  readonly status: number;
  readonly word: string | null;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Sends the steps in order. `settings` replace the script's assignments of those names. */
export type Runner = (script: string, settings: Readonly<Record<string, string>>) => Promise<Answer[]>;

const PROMISE = /→ (\d{3})(?: (\w+))?$/;
const CAPTURE = /^(\w+)=\$\((curl [\s\S]*) \| field (\w+)\)$/;
const FUNCTION = /^\w+\(\) \{.*\}$/;

/** @throws where a request has no comment that says what it answers */
export function stepsOf(script: string): Step[] {
  let promise: RegExpExecArray | null = null;
  return statements(script).flatMap((statement) => {
    if (statement.startsWith("#")) promise = PROMISE.exec(statement);
    if (!statement.startsWith("curl ") && !CAPTURE.test(statement)) return [];
    if (promise === null) throw new Error(`it is not said what this answers: ${statement}`);
    const step = { statement, status: Number(promise[1]), word: promise[2] ?? null };
    promise = null;
    return [step];
  });
}

export function hasShell(): boolean {
  return ["bash", "curl"].every((program) => spawnSync(program, ["--version"]).status === 0);
}

/** As a person would: in bash, with curl. */
export const inBash: Runner = async (script, settings) => {
  const assignments = Object.entries(settings).map(([name, value]) => `${name}='${value}'`);
  const rest = statements(script).filter((statement) => !Object.keys(settings).some((name) => statement.startsWith(`${name}=`)));
  // A developer's own settings of curl are left out. Each reply is its status, a line end, its body and a record separator, and
  // goes past whatever the script does with curl's own output.
  const curl = `exec 3>&1 1>/dev/null; curl() {
    local file status; file=$(mktemp)
    status=$(command curl -q --noproxy '*' -o "$file" -w '%{http_code}' "$@")
    { printf '%s\\n' "$status"; cat "$file"; printf '\\n\\036\\n'; } >&3; cat "$file"; rm -f "$file"
  }`;
  const output = await run("bash", ["-euc", [...assignments, curl, ...rest].join("\n")]);
  return output
    .split("\n\u001e\n")
    .slice(0, -1)
    .map((reply) => {
      const [status = "", ...body] = reply.split("\n");
      return { status: Number(status), body: JSON.parse(body.join("\n")) as unknown };
    });
};

/** For machines without a shell: the same options, by fetch. */
export const byFetch: Runner = async (script, settings) => {
  const variables: Record<string, string> = { ...settings };
  const answers: Answer[] = [];
  for (const statement of statements(script)) {
    const [, captured, request, member = ""] = CAPTURE.exec(statement) ?? [];
    const [, name, value] = /^(\w+)=(.*)$/.exec(statement) ?? [];
    if (request !== undefined) {
      const answer = await send(words(request, variables).slice(1));
      answers.push(answer);
      variables[captured ?? ""] = String((answer.body as Readonly<Record<string, unknown>>)[member]);
    } else if (name !== undefined) variables[name] ??= words(value ?? "", variables).join(" ");
    else if (statement.startsWith("curl ")) answers.push(await send(words(statement, variables).slice(1)));
    else if (!statement.startsWith("#") && !FUNCTION.test(statement)) throw new Error(`this is not translated: ${statement}`);
  }
  return answers;
};

async function send(options: readonly string[]): Promise<Answer> {
  const headers = new Headers();
  let [method, url, body]: [string | null, string, string | null] = [null, "", null];
  for (let at = 0; at < options.length; at++) {
    const option = options[at] ?? "";
    if (option === "-s") continue;
    else if (option === "-X") method = options[++at] ?? null;
    else if (option === "-d") body = options[++at] ?? null;
    else if (option === "-H") {
      const [name = "", value = ""] = (options[++at] ?? "").split(/: (.*)/s);
      headers.set(name, value);
    } else if (option.startsWith("-")) throw new Error(`the option ${option} is not translated`);
    else url = option;
  }
  const reply = await fetch(url, { method: method ?? (body === null ? "GET" : "POST"), headers, body });
  return { status: reply.status, body: await reply.json() };
}

/** Lines, joined where a quote is still open. */
function statements(script: string): string[] {
  const found: string[] = [];
  let open = "";
  for (const line of script.split("\n")) {
    open = open === "" ? line : `${open}\n${line}`;
    const isComplete = open.startsWith("#") || (open.match(/'/g) ?? []).length % 2 === 0;
    if (!isComplete) continue;
    if (open.trim() !== "") found.push(open);
    open = "";
  }
  if (open !== "") throw new Error(`a quote does not end: ${open}`);
  return found;
}

/** The words of one statement: bare, 'as they are', or "with $variables". */
function words(text: string, variables: Readonly<Record<string, string>>): string[] {
  const filled = (part: string) => part.replace(/\$(\w+)/g, (_, name: string) => variables[name] ?? "");
  return [...text.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)].map(([, plain, quoted, bare]) => plain ?? filled(quoted ?? bare ?? ""));
}

function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (errors += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => (status === 0 ? resolve(output) : reject(new Error(`${program} ended with ${status}: ${errors}`))));
  });
}

/** For the title of what needs them: a skipped test says why. */
export function withoutShell(): string {
  return hasShell() ? "" : " (skipped: bash or curl is not installed)";
}
