import type { ReadStream } from "node:tty";
import { BOUNDS } from "./bounds.ts";
import { Failure, usage } from "./failure.ts";
import type { Output } from "./output.ts";
import { shown } from "./width.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
/** Arrow keys and their like, and what some terminals wrap pasted text in. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what they begin with
const ESCAPES = /\u001b\[[0-9;]*[A-Za-z~]/g;
const ENDED_BY_CTRL_C = 130;

/** Asks somebody at a terminal. Questions go to stderr: stdout is the result's. */
export class Prompts {
  readonly #output: Output;
  readonly #input: ReadStream;
  readonly #allowed: boolean;

  constructor(output: Output, { interactive, input = process.stdin }: { readonly interactive: boolean; readonly input?: ReadStream }) {
    this.#output = output;
    this.#input = input;
    this.#allowed = interactive;
  }

  /** Whether somebody can be asked: at a terminal, and not with --no-interactive. */
  get possible(): boolean {
    return this.#allowed && this.#input.isTTY === true && process.stderr.isTTY === true;
  }

  /** A value, which does not show while it is typed. `otherwise` says how to give it where nobody can be asked. */
  async hidden(question: string, otherwise: string): Promise<string> {
    return this.#ask(`${question}: `, { echo: false }, otherwise);
  }

  async text(question: string, { preset = "", otherwise }: { readonly preset?: string; readonly otherwise: string }): Promise<string> {
    const answer = await this.#ask(`${question}${preset === "" ? "" : ` [${preset}]`}: `, { echo: true }, otherwise);
    return answer === "" ? preset : answer;
  }

  /** What cannot be taken back by mistake: the name has to be typed. @throws Failure where it is not */
  async typedName(what: string, name: string): Promise<void> {
    const otherwise = "Add -y to go on without being asked.";
    if (!this.possible) throw usage(`${shown(what)} Nobody can be asked here whether that is meant.`, otherwise);
    for (let attempt = 0; attempt < BOUNDS.attempts; attempt++) {
      const answer = await this.#ask(
        `${what} Type ${this.#output.paint(name, "strong", process.stderr)} to go on: `,
        { echo: true },
        otherwise,
      );
      if (answer.trim() === name) return;
      this.#output.note("That is not its name.");
    }
    throw usage("Nothing was changed.", "");
  }

  async yes(question: string): Promise<boolean> {
    if (!this.possible) throw usage(`${shown(question)} Nobody can be asked here.`, "Add -y to go on without being asked.");
    const answer = await this.#ask(`${question} [y/N] `, { echo: true }, "Add -y to go on without being asked.");
    return /^y(es)?$/i.test(answer.trim());
  }

  async #ask(question: string, how: { readonly echo: boolean }, otherwise: string): Promise<string> {
    if (!this.possible) throw usage(`${shown(question).replace(/[:\s]*$/, "")} is not given, and nobody can be asked here.`, otherwise);
    return typedLine(question, this.#input, this.#output, how.echo);
  }
}

/** One line, as a terminal in raw mode gives it: nothing of it is echoed by the terminal itself. */
function typedLine(question: string, input: ReadStream, output: Output, echo: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = "";
    const end = (finish: () => void) => {
      input.off("data", onData);
      input.off("end", onEnd);
      input.setRawMode(false);
      input.pause();
      output.draw("\n");
      finish();
    };
    const onEnd = () => end(() => resolve(typed));
    const onData = (chunk: string) => {
      for (const character of chunk.replace(ESCAPES, "")) {
        if (character === "\r" || character === "\n" || character === CTRL_D) return end(() => resolve(typed));
        if (character === CTRL_C) return end(() => reject(new Interrupted()));
        if (character === "\x7f" || character === "\b") {
          if (echo && typed !== "") output.draw("\b \b");
          typed = [...typed].slice(0, -1).join("");
        } else if (character === CTRL_U) {
          if (echo) output.draw("\b \b".repeat([...typed].length));
          typed = "";
        } else if (character >= " " && typed.length < BOUNDS.typed) {
          typed += character;
          if (echo) output.draw(character);
        }
      }
    };
    // Before the question is there to be answered: what is typed until then would be echoed by the terminal itself.
    input.setRawMode(true);
    input.setEncoding("utf8");
    input.on("data", onData);
    input.once("end", onEnd);
    input.resume();
    output.draw(question);
  });
}

/** Somebody pressed Ctrl-C at a question. */
export class Interrupted extends Failure {
  readonly status = ENDED_BY_CTRL_C;
  constructor() {
    super(1, "interrupted", "Nothing was changed.");
  }
}
