/** Milliseconds between two lines of progress: on a terminal, where a line takes the place of the one before, and elsewhere. */
const TERMINAL_MS = 100;
const ELSEWHERE_MS = 5_000;

/** Tells now and then how far something has come. */
export class ProgressLine {
  readonly #isTerminal = process.stdout.isTTY === true;
  #last = Date.now();
  #shown = false;

  tell(text: () => string): void {
    if (Date.now() - this.#last < (this.#isTerminal ? TERMINAL_MS : ELSEWHERE_MS)) return;
    this.#last = Date.now();
    this.#shown = true;
    process.stdout.write(this.#isTerminal ? `\r\x1b[K${text().slice(0, process.stdout.columns - 1)}` : `${text()}\n`);
  }

  /** Before anything else is printed. */
  end(): void {
    if (this.#shown && this.#isTerminal) process.stdout.write("\r\x1b[K");
    this.#shown = false;
  }
}
