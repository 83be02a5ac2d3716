import { BOUNDS } from "../bounds.ts";
import { forwardSignals, type Started, started } from "../child.ts";
import { childEnvironment } from "../child-environment.ts";
import { does, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { usage } from "../failure.ts";
import { counted, names } from "../telling.ts";
import { fetchVariables, type SecretsWanted, type Variables } from "../variables.ts";

interface Running {
  readonly command?: string;
  readonly secrets?: boolean;
  readonly onlySecrets?: boolean;
  readonly preserveEnv?: boolean;
  readonly watch?: boolean;
  readonly fallback?: string;
}

export const run = () =>
  does<Running>(
    leaf("run", {
      summary: "Run a program with an environment's variables",
      about:
        "Vars, and secrets where the token may reveal them, go into the program's environment and nowhere else. Ends as the program does: with its exit code, or 128 and the signal that ended it",
      examples: [
        "envm run -e staging -- node app.js",
        "envm run -e dev --no-secrets -- printenv API_URL",
        "envm run -e staging --command 'echo $API_URL | tr a-z A-Z'",
      ],
    })
      .argument("[program...]", "the program and its arguments, after --")
      .option("--command <line>", "a line for the shell, in place of a program")
      .option("--no-secrets", "vars alone; nothing is revealed")
      .option("--only-secrets", "secrets alone; fails where the token may not reveal them")
      .option("--preserve-env", "what is set here already wins")
      .option("--watch", "start the program anew whenever the environment changes")
      .option("--fallback <file>", "keep a sealed copy there, and use it while the engine is away")
      .passThroughOptions(),
    async (context, options, ...program) => {
      const { command, secrets, onlySecrets } = options;
      if ((command === undefined) === (program.length === 0))
        throw usage("There is nothing to run.", "For example: envm run -e staging -- node app.js");
      if (onlySecrets && secrets === false) throw usage("--only-secrets and --no-secrets do not go together.", "Choose one of them.");
      const wanted: SecretsWanted = secrets === false ? "none" : onlySecrets ? "needed" : "allowed";
      const variables = await variablesOf(context, wanted, options.fallback);
      if (wanted === "allowed" && variables.left.length > 0) {
        context.output.warn(
          `This token may not reveal secrets: ${counted(variables.left.length, "secret")} not passed on (${names(variables.left)}). --no-secrets says so.`,
        );
      }
      const start = (given: Variables) => {
        const env = childEnvironment(onlySecrets ? given.secrets : { ...given.vars, ...given.secrets }, process.env, {
          preserve: options.preserveEnv ?? false,
          warn: (text) => context.output.warn(text),
        });
        return command === undefined
          ? started({ command: program[0] ?? "", args: program.slice(1), env })
          : started({ command, args: program, env, shell: true });
      };
      return options.watch
        ? watched(context, variables, start, () => variablesOf(context, wanted, options.fallback))
        : once(context, start(variables), program[0] ?? command ?? "");
    },
  );

async function once({ output }: Context, program: Started, name: string): Promise<number> {
  const release = forwardSignals(() => program.process);
  const code = await program.ended;
  release();
  const failure = program.failure();
  if (failure !== null) {
    const missing = failure === "ENOENT";
    output.error(
      `${name} ${missing ? "is no program that can be found" : `cannot be run (${failure})`}.`,
      missing ? "Check its name, and PATH." : "Check its rights, and that it is a program.",
    );
  }
  return code;
}

async function variablesOf(context: Context, wanted: SecretsWanted, fallback: string | undefined): Promise<Variables> {
  if (fallback === undefined) return fetchVariables(context, { secrets: wanted });
  const { withFallback } = await import("../fallback.ts");
  return withFallback(context, fallback, wanted);
}

/** Starts the program anew with each new head. Ends when the program ends by itself, as it does. */
async function watched(
  context: Context,
  first: Variables,
  start: (given: Variables) => Started,
  fetchAgain: () => Promise<Variables>,
): Promise<number> {
  const { connectEnvironment } = await import("../../sdk/connection.ts");
  const { settings, output, project } = context;
  const { url, token } = settings;
  let at = first.revision;
  let program = start(first);
  let isRestarting = false;
  const release = forwardSignals(() => program.process);
  const news = new News();
  const connection = connectEnvironment({ url, ...(token !== null && { token }), project, env: first.env });
  connection.on("ready", ({ revision }) => news.tell(revision ?? at));
  connection.on("changed", ({ revision }) => news.tell(revision));
  connection.on("stale", ({ error }) =>
    output.warn(`The engine is away (${error?.reason ?? "no answer"}): the program goes on with revision ${at}.`),
  );
  connection.on("closed", ({ error }) => {
    if (error === null) return;
    output.warn(`${error.reason} Changes are not followed any more; the program goes on with revision ${at}.`);
    output.note(`  fix: ${error.code === "unauthorized" ? "Log in anew (envm login), and start envm run again." : error.fix}`);
  });
  try {
    for (;;) {
      const code = await Promise.race([program.ended, news.newerThan(at)]);
      if (code !== null) return code;
      // Several heads that came at once are one start.
      const next = await fetchAgain().catch((error: unknown) => {
        output.warn(
          `There is something newer, which cannot be read: ${error instanceof Error ? error.message : String(error)} The program goes on with revision ${at}.`,
        );
        return null;
      });
      if (next === null) {
        at = news.newest;
        continue;
      }
      if (next.revision <= at) continue;
      output.note(`${next.env} is ${next.version}, revision ${next.revision}: starting anew.`);
      isRestarting = true;
      await stopped(program);
      program = start(next);
      at = next.revision;
      isRestarting = false;
    }
  } finally {
    if (!isRestarting) release();
    connection.close();
  }
}

/** Revisions that were heard of. */
class News {
  newest = 0;
  #waiting: (() => void) | null = null;

  tell(revision: number): void {
    this.newest = Math.max(this.newest, revision);
    this.#waiting?.();
  }

  /** Resolves, with `null`, when there is one that is newer. */
  async newerThan(revision: number): Promise<null> {
    while (this.newest <= revision) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return null;
  }
}

/** Asks the program to end, and ends it where it does not. */
async function stopped({ process: child, ended }: Started): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), BOUNDS.restartMs);
  await ended;
  clearTimeout(timer);
}
