import { AppError } from "../errors.ts";

/** How much may be on its way to a store at a time. */
interface WindowLimits {
  /** Bytes that may be on their way; what is larger than that goes alone. */
  readonly bytes: number;
  /** Operations that may wait for their turn. */
  readonly waiting: number;
}

interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

/** Lets operations out in the order in which they come, as many at a time as have room. */
export class Window {
  readonly #limits: WindowLimits;
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #bytes = 0;
  #idle: (() => void)[] = [];

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Runs `work` when there is room, at once where there is. Throws `overloaded`, and never runs it, where too many wait already. */
  async run<Result>(bytes: number, work: () => Promise<Result>): Promise<Result> {
    if (this.#waiting.length > 0 || !this.#hasRoom(bytes)) await this.#turn(bytes);
    else this.#enter(bytes);
    try {
      return await work();
    } finally {
      this.#leave(bytes);
    }
  }

  /** Resolves when nothing runs or waits. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#limits.bytes;
  }

  #turn(bytes: number): Promise<void> {
    if (this.#waiting.length >= this.#limits.waiting) {
      throw new AppError("overloaded", { reason: "Too many operations are waiting for the store." });
    }
    return new Promise((go) => this.#waiting.push({ bytes, go }));
  }

  #enter(bytes: number): void {
    this.#running++;
    this.#bytes += bytes;
  }

  #leave(bytes: number): void {
    this.#running--;
    this.#bytes -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#enter(next.bytes);
      next.go();
    }
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
