import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { unreadable } from "./commits.ts";
import { type GitOptions, type GitProcess, startGit } from "./run.ts";

/**
 * Reads files' contents, one after another, from one `git cat-file` for as long as it is open. What is too large is refused by its
 * size, before any of it is read.
 */
export class Blobs {
  readonly #git: GitProcess;
  readonly #pieces: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);
  /** How many were read. */
  count = 0;

  constructor(options: GitOptions) {
    this.#git = startGit(["cat-file", "--batch"], options);
    this.#pieces = (this.#git.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** @throws invalid_repository where it is missing or damaged; too_large */
  async read(id: string, path: string): Promise<Buffer> {
    try {
      this.#git.stdin.write(`${id}\n`);
      const header = await this.#until(0x0a);
      const [, type, bytes] = /^[0-9a-f]+ (\w+) (\d+)$/.exec(header) ?? [];
      if (type !== "blob") throw missing(path);
      const size = Number(bytes);
      if (size > LIMITS.gitFileBytes) throw tooLarge(path);
      const content = await this.#take(size);
      await this.#take(1);
      this.count++;
      return content;
    } catch (error) {
      this.close();
      throw unreadable(error);
    }
  }

  close(): void {
    this.#git.kill();
  }

  async #until(byte: number): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(byte);
      if (end >= 0) {
        const text = this.#buffer.toString("utf8", 0, end);
        this.#buffer = this.#buffer.subarray(end + 1);
        return text;
      }
      await this.#more();
    }
  }

  async #take(size: number): Promise<Buffer> {
    const pieces = [this.#buffer];
    let have = this.#buffer.length;
    this.#buffer = Buffer.alloc(0);
    while (have < size) {
      await this.#more();
      pieces.push(this.#buffer);
      have += this.#buffer.length;
      this.#buffer = Buffer.alloc(0);
    }
    const all = Buffer.concat(pieces, have);
    this.#buffer = all.subarray(size);
    return all.subarray(0, size);
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#pieces.next();
    if (done) {
      await this.#git.ended;
      throw new AppError("invalid_repository", {
        reason: "The repository cannot be read to its end.",
        fix: "git fsck in it says what is damaged.",
      });
    }
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value]);
  }
}

function missing(path: string): AppError {
  return new AppError("invalid_repository", {
    reason: `The content of ${JSON.stringify(path.slice(0, 200))} is missing from the repository, or damaged.`,
    fix: "git fsck in it says what is damaged; a partial clone is fetched whole first.",
  });
}

function tooLarge(path: string): AppError {
  return new AppError("too_large", {
    reason: `The file ${JSON.stringify(path.slice(0, 200))} is larger than ${LIMITS.gitFileBytes} bytes.`,
    fix: "Split it into several components.",
  });
}
