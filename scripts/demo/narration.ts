import { styleText } from "node:util";

const STEP_WIDTH = 2;
const VALUE_WIDTH = 100;
const NAMES_SHOWN = 6;

/** Tells, step by step and in plain words, what was asked and what came back. */
export class Narration {
  readonly #write: (line: string) => void;
  readonly #colour: boolean;
  #steps = 0;

  constructor(write: (line: string) => void, colour: boolean) {
    this.#write = write;
    this.#colour = colour;
  }

  heading(text: string): void {
    this.#write(this.#style("bold", text));
  }

  /** A line of its own, between steps. */
  remark(text = ""): void {
    this.#write(text);
  }

  step(title: string): void {
    this.#steps += 1;
    this.#write("");
    this.#write(this.#style("bold", `${String(this.#steps).padStart(STEP_WIDTH)}. ${title}`));
  }

  asked(method: string, path: string, body?: unknown): void {
    this.#write(`    ${this.#style("cyan", "→")} ${method} ${path}`);
    if (body !== undefined) for (const line of abbreviated(body)) this.#write(`        ${line}`);
  }

  answered(status: number, what: string, lines: readonly string[]): void {
    const colour = status < 300 ? "green" : "yellow";
    this.#write(`    ${this.#style(colour, "←")} ${status} ${this.#style(colour, what)}`);
    for (const line of lines) this.#write(`        ${line}`);
  }

  #style(style: "bold" | "cyan" | "green" | "yellow", text: string): string {
    return this.#colour ? styleText(style, text) : text;
  }
}

/** Colour where a person looks on, and has not asked for none (https://no-color.org). */
export function wantsColour(stream: { readonly isTTY?: boolean }, env: Readonly<Record<string, string | undefined>>): boolean {
  return stream.isTTY === true && !env.NO_COLOR;
}

/** One line for each member of a body. Of nested objects only names are shown: their values may be secrets. */
function abbreviated(body: unknown): readonly string[] {
  if (typeof body !== "object" || body === null) return [cut(JSON.stringify(body))];
  return Object.entries(body).map(([name, value]: [string, unknown]) => `${name}: ${cut(shown(value))}`);
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return names(Array.isArray(value) ? value.map(String) : Object.keys(value));
}

/** `A, B, C and 4 more`; `none` of nothing. */
export function names(all: readonly string[]): string {
  if (all.length === 0) return "none";
  const rest = all.length - NAMES_SHOWN;
  return all.slice(0, NAMES_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function cut(text: string): string {
  return text.length > VALUE_WIDTH ? `${text.slice(0, VALUE_WIDTH - 1)}…` : text;
}
