import { builder } from "./builder.ts";
import type { Answer, Asked, Contract, Members } from "./contract.ts";
import { deployment } from "./deployment.ts";
import { feedback } from "./feedback.ts";
import { monitoring } from "./monitoring.ts";
import { validation } from "./validation.ts";
import { vault } from "./vault.ts";

/** An engine at work: its contract, and what it remembers. */
interface Play {
  readonly memory: unknown;
  answer(asked: Asked): Answer;
  told(wish: Members): void;
}

const PLAYS = {
  vault: play(vault),
  validation: play(validation),
  monitoring: play(monitoring),
  deployment: play(deployment),
  builder: play(builder),
  feedback: play(feedback),
};

export type MemberName = keyof typeof PLAYS;
export const MEMBERS = Object.keys(PLAYS) as readonly MemberName[];

/** @param kept what it remembered when it was stopped, if anything */
export function begin(name: MemberName, kept: unknown): Play {
  return PLAYS[name](kept);
}

function play<Memory>(contract: Contract<Memory>): (kept: unknown) => Play {
  return (kept) => {
    // Nobody but the engine itself has written it.
    const memory = (kept as Memory | undefined) ?? contract.empty();
    return { memory, answer: (asked) => contract.answer(asked, memory), told: (wish) => contract.told?.(wish, memory) };
  };
}
