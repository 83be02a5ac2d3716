import type { Operation } from "./checker.ts";
import type { Head, Input, Output } from "./environment.ts";

/** One way to the environments: an instance, or what stands in for one. */
export interface Target {
  /** `null` where nobody was told; `tag` names the head in a condition. */
  read(env: string): Promise<(Head & { readonly tag: string }) | null>;
  /**
   * `not sent`: it can have had no effect; `unknown`: nobody was told.
   * @param tag the head that it must be; `null` for any
   */
  write(env: string, tag: string | null, value: string): Promise<{ readonly revision: number } | "refused" | "not sent" | "unknown">;
}

export interface Load {
  readonly targets: () => readonly Target[];
  readonly envs: readonly string[];
  readonly clients: number;
  /** Told after each operation; ends the load with `true`. */
  readonly over: (operations: number) => boolean;
}

/** Lets clients read and write at once, each on one instance and then another, and records what each of them saw. */
export async function record({ targets, envs, clients, over }: Load): Promise<Operation<Input, Output>[]> {
  const history: Operation<Input, Output>[] = [];
  let nth = 0;
  const run = async (client: string, env: string) => {
    let known: (Head & { readonly tag: string }) | null = null;
    while (!over(history.length)) {
      const all = targets();
      const target = all[Math.floor(Math.random() * all.length)] as Target;
      const kind = Math.random();
      const call = performance.now();
      if (kind < 0.5 || known === null) {
        known = await target.read(env);
        if (known === null) continue;
        const { revision, value } = known;
        history.push({ client, input: { kind: "read", env }, output: { kind: "read", revision, value }, call, return: performance.now() });
        continue;
      }
      const condition: { readonly revision: number; readonly tag: string } | null = kind < 0.85 ? known : null;
      const value = `${client}-${nth++}`;
      const input: Input = { kind: "write", env, expected: condition?.revision ?? null, value };
      const result = await target.write(env, condition?.tag ?? null, value);
      if (result === "not sent") continue;
      const output: Output | null =
        result === "unknown" ? null : result === "refused" ? { kind: "refused" } : { kind: "written", revision: result.revision };
      history.push({ client, input, output, call, return: output === null ? Number.POSITIVE_INFINITY : performance.now() });
    }
  };
  await Promise.all(envs.flatMap((env) => Array.from({ length: clients }, (_, index) => run(`${env}-${index}`, env))));
  return history;
}
