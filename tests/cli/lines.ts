import type { ChildProcess } from "node:child_process";
import { ended } from "./support.ts";

/** A command under way whose lines can be waited for. */
export class Lines {
  readonly ended: ReturnType<typeof ended>;
  readonly #child: ChildProcess;
  #text = "";
  #waiting: (() => void)[] = [];

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = ended(child);
    const more = (part: string) => {
      this.#text += part;
      for (const look of this.#waiting.splice(0)) look();
    };
    child.stdout?.on("data", more);
    child.stderr?.on("data", more);
    void this.ended.then(() => more(""));
  }

  /** Resolves once they do. Rejects where the command ended without. */
  async show(wanted: RegExp): Promise<void> {
    while (!wanted.test(this.#text)) {
      if (this.#child.exitCode !== null) throw new Error(`it ended without ${wanted}:\n${this.#text}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
