import { writeSync } from "node:fs";
import type { WriteStream } from "node:tty";
import { BOUNDS } from "./bounds.ts";
import { failed, systemCode } from "./failure.ts";
import { cut, padded, shown, widthOf } from "./width.ts";

interface OutputOptions {
  readonly json?: boolean | undefined;
  readonly plain?: boolean | undefined;
  readonly silent?: boolean | undefined;
}

/** Items of a list, and whether there are more. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

/** How the items of a list are shown. */
export interface Listing<Item> {
  /** In `--plain`. */
  readonly plain: (item: Item) => string;
  readonly headings: readonly string[];
  /** As many cells as there are headings. */
  readonly row: (item: Item) => readonly string[];
}

type Tone = "good" | "bad" | "warn" | "dim" | "strong";

const TONES: Readonly<Record<Tone, readonly [open: number, close: number]>> = {
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
  dim: [2, 22],
  strong: [1, 22],
};

type Stream = (NodeJS.WriteStream | WriteStream) & { readonly fd?: number };

/**
 * What a command says. Results go to stdout, everything else to stderr, so that a pipe carries results alone. `--json` prints the
 * engine's own fields, `--plain` bare values, `--silent` nothing but results that were asked for by name, and errors.
 */
export class Output {
  readonly mode: "human" | "json" | "plain";
  readonly #silent: boolean;
  readonly #out: Stream = process.stdout;
  readonly #err: Stream = process.stderr;
  #closed = false;
  #broken: NodeJS.ErrnoException | null = null;
  #onClosed: (() => void)[] = [];

  constructor(options: OutputOptions) {
    this.mode = options.json ? "json" : options.plain ? "plain" : "human";
    this.#silent = options.silent ?? false;
    // A reader that has enough closes the pipe: from then on nothing is written, and the work goes on to its end.
    this.#out.on("error", (error: NodeJS.ErrnoException) => this.#stop(error));
    this.#err.on("error", () => {});
  }

  /** Nobody reads any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether somebody looks at what goes to stderr. */
  get watched(): boolean {
    return this.#err.isTTY === true && !this.#silent && process.env["TERM"] !== "dumb";
  }

  /** Columns of the terminal; without one, so many that nothing is cut. */
  get columns(): number {
    return this.#out.isTTY ? Math.max(this.#out.columns || 80, BOUNDS.columnsMin) : BOUNDS.columns;
  }

  /** A line of the result. */
  line(text: string): void {
    this.write(`${text}\n`);
  }

  lines(texts: readonly string[]): void {
    for (const text of texts) this.line(text);
  }

  /** Part of the result, as it is. */
  write(text: string): void {
    if (!this.#closed) this.#out.write(text);
  }

  /** Part of a result that may be long: resolves when the reader can take more. */
  async flowing(text: string): Promise<void> {
    if (this.#closed || this.#out.write(text)) return;
    await new Promise<void>((resolve) => {
      this.#out.once("drain", resolve);
      this.#onClosed.push(resolve);
      if (this.#closed) resolve();
    });
  }

  /** The engine's own reply, for programs. */
  json(value: unknown): void {
    this.line(JSON.stringify(value, null, this.#out.isTTY ? 2 : undefined));
  }

  /** What was done, for a person: nothing of it in `--json`, `--plain` or `--silent`. */
  say(text: string, tone?: Tone): void {
    if (this.mode !== "human" || this.#silent) return;
    this.line(tone === undefined ? text : this.paint(text, tone));
  }

  /** Beside the result: what somebody should know, on stderr. */
  note(text: string): void {
    if (!this.#silent) this.#err.write(`${text}\n`);
  }

  warn(text: string): void {
    this.note(this.paint(`! ${shown(text)}`, "warn", this.#err));
  }

  /** What went wrong, always on stderr. */
  error(text: string, fix: string): void {
    this.#err.write(`${this.paint("✗", "bad", this.#err)} ${shown(text)}\n`);
    if (fix !== "") this.#err.write(`  fix: ${shown(fix)}\n`);
  }

  /** Rows under their headings, as wide as the terminal: the columns that are widest are cut first, and the headings themselves last. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): void {
    const cells = rows.map((row) => row.map(shown));
    const wanted = headings.map((heading, index) => Math.max(widthOf(heading), ...cells.map((row) => widthOf(row[index] ?? ""))));
    const underHeadings = fitted(wanted, headings.map(widthOf), this.columns);
    const widths = fitted(
      underHeadings,
      headings.map(() => BOUNDS.columnMin),
      this.columns,
    );
    const text = (row: readonly string[]) =>
      row
        .map((cell, index) => padded(cut(cell, widths[index] ?? 0), widths[index] ?? 0))
        .join("  ")
        .trimEnd();
    this.line(this.paint(text(headings), "dim"));
    for (const row of cells) this.line(text(row));
  }

  /** A list of which at most `most` items were asked for. Whoever reads one that was cut short has to know; in JSON its cursor says so. */
  list<Item>(page: Page<Item>, most: number, { plain, headings, row }: Listing<Item>): void {
    if (this.mode === "json") {
      this.json(page);
      return;
    }
    if (this.mode === "plain") this.lines(page.items.map(plain));
    else this.table(headings, page.items.map(row));
    if (page.next_cursor !== null) this.note(`There are more: give a --limit above ${most}.`);
  }

  paint(text: string, tone: Tone, stream: Stream = this.#out): string {
    if (!coloured(stream)) return text;
    const [open, close] = TONES[tone];
    return `\x1b[${open}m${text}\x1b[${close}m`;
  }

  /** Where a prompt or a progress bar is drawn; at once, also while something else keeps the process busy. */
  draw(text: string): void {
    try {
      writeSync(this.#err.fd ?? 2, text);
    } catch {
      // A terminal that is gone, or that cannot take it just now: nobody misses a picture.
    }
  }

  /** Resolves when everything is written. @throws where what was to be written could not be */
  async end(): Promise<void> {
    if (!this.#closed) {
      await new Promise<void>((resolve) => {
        this.#onClosed.push(resolve);
        this.#out.write("", () => resolve());
      });
    }
    if (this.#broken !== null) {
      const code = systemCode(this.#broken);
      throw failed(
        `What was to be printed could not be written${code === "ENOSPC" ? ": the disk is full" : ` (${code})`}.`,
        "Free some space, or write somewhere else.",
      );
    }
  }

  #stop(error: NodeJS.ErrnoException): void {
    this.#closed = true;
    if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED" && error.code !== "EOF") this.#broken ??= error;
    for (const resolve of this.#onClosed.splice(0)) resolve();
  }
}

/** `NO_COLOR` and `FORCE_COLOR` decide where they are set (https://no-color.org, https://force-color.org); else a terminal does. */
function coloured(stream: Stream): boolean {
  const force = process.env["FORCE_COLOR"];
  if (force !== undefined && force !== "") return force !== "0" && force !== "false";
  if ((process.env["NO_COLOR"] ?? "") !== "") return false;
  return stream.isTTY === true && process.env["TERM"] !== "dumb";
}

/** Widths that fit: as long as a line is too long, the widest column gives way, down to its heading. */
function fitted(wanted: readonly number[], least: readonly number[], columns: number): number[] {
  const widths = [...wanted];
  let over = widths.reduce((sum, width) => sum + width, 0) + 2 * (widths.length - 1) - columns;
  while (over > 0) {
    const [widest, next] = widestThatGives(widths, least);
    if (widest === -1) break;
    const width = widths[widest] ?? 0;
    const floor = Math.max(least[widest] ?? 1, next);
    const taken = Math.min(over, Math.max(1, width - floor));
    widths[widest] = width - taken;
    over -= taken;
  }
  return widths;
}

/** The widest column that can give way, and the width of the next one. */
function widestThatGives(widths: readonly number[], least: readonly number[]): readonly [index: number, next: number] {
  const able = widths.map((width, index) => ({ width, index })).filter(({ width, index }) => width > (least[index] ?? 1));
  able.sort((left, right) => right.width - left.width);
  const [first, second] = able;
  return first === undefined ? [-1, 0] : [first.index, second?.width ?? 0];
}
