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
  readonly fallback?: string | true;
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
      .option("--fallback [file]", "keep a sealed copy, there or beside the logins, and use it while the engine is away")
      .passThroughOptions(),
    async (context, options, ...words) => {
      const { command, secrets, onlySecrets } = options;
      if (command !== undefined && words.length > 0)
        throw usage("A program and --command do not go together.", "Choose one of them; a line for the shell is one word, in quotes.");
      // A variable of the shell's that is not set leaves an empty word behind.
      if (!(command?.trim() || words[0])) throw usage("There is nothing to run.", "For example: envm run -e staging -- node app.js");
      if (onlySecrets && secrets === false) throw usage("--only-secrets and --no-secrets do not go together.", "Choose one of them.");
      const wanted: SecretsWanted = secrets === false ? "none" : onlySecrets ? "needed" : "allowed";
      const variables = await variablesOf(context, wanted, options.fallback);
      if (wanted === "allowed" && variables.left.length > 0) {
        context.output.warn(
          `This token may not reveal secrets: ${counted(variables.left.length, "secret")} not passed on (${names(variables.left)}). --no-secrets says so.`,
        );
      }
      let program: Started | null = null;
      // What is started anew ends first, with all that it started.
      const ownGroup = options.watch ?? false;
      const start = (given: Variables): Started => {
        const env = childEnvironment(onlySecrets ? given.secrets : { ...given.vars, ...given.secrets }, process.env, {
          preserve: options.preserveEnv ?? false,
          warn: (text) => context.output.warn(text),
        });
        program =
          command === undefined
            ? started({ command: words[0] ?? "", args: words.slice(1), env, ownGroup })
            : started({ command, args: [], env, shell: true, ownGroup });
        return program;
      };
      const code = options.watch
        ? await (await import("../watching.ts")).runWatched(context, {
            first: variables,
            start,
            fetchAgain: () => variablesOf(context, wanted, options.fallback),
          })
        : await once(start(variables));
      tellWhyNotStarted(context, program, words[0] ?? "/bin/sh");
      return code;
    },
  );

async function once(program: Started): Promise<number> {
  const forwarding = forwardSignals(() => program);
  const code = await program.ended;
  forwarding.release();
  return code;
}

function tellWhyNotStarted({ output }: Context, program: Started | null, name: string): void {
  const failure = program?.failure() ?? null;
  if (failure === "ENOENT") output.error(`${name} is no program that can be found.`, "Check its name, and PATH.");
  else if (failure === "E2BIG")
    output.error(`${name} cannot be given so much: the system passes on fewer variables and arguments.`, "Set fewer, or shorter ones.");
  else if (failure !== null) output.error(`${name} cannot be run (${failure}).`, "Check its rights, and that it is a program.");
}

async function variablesOf(context: Context, wanted: SecretsWanted, fallback: string | true | undefined): Promise<Variables> {
  if (fallback === undefined) return fetchVariables(context, { secrets: wanted });
  const { usualPlace, withFallback } = await import("../fallback.ts");
  return withFallback(context, fallback === true ? usualPlace(context, wanted) : fallback, wanted);
}
