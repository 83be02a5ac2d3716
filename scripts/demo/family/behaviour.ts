import type { ServerResponse } from "node:http";
import type { Answer } from "./contract.ts";

/**
 * How an engine answers. `well` and `slow` answer as they should, `slow` when it is told to behave otherwise; `garbage`, `half` and
 * `huge` do what they are asked and answer badly; the others do nothing of it: `500`, `redirect`, or no answer at all.
 */
export const BEHAVIOURS = ["well", "slow", "500", "garbage", "half", "redirect", "huge", "nothing"] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

const JSON_TYPE = { "content-type": "application/json" };
const HUGE_BYTES = 10_000_000;

export function isBehaviour(value: unknown): value is Behaviour {
  return BEHAVIOURS.some((one) => one === value);
}

/** Whether it does what it is asked. */
export function acts(behaviour: Behaviour): boolean {
  return !["500", "redirect", "nothing"].includes(behaviour);
}

export function send(response: ServerResponse, { status, body }: Pick<Answer, "status" | "body">): void {
  response.writeHead(status, JSON_TYPE).end(JSON.stringify(body));
}

/** Answers as badly as `behaviour` says. */
export function misbehave(response: ServerResponse, behaviour: Exclude<Behaviour, "well" | "slow">): void {
  switch (behaviour) {
    case "500":
      send(response, { status: 500, body: { error: "out of order" } });
      break;
    case "redirect":
      response.writeHead(302, { location: "/elsewhere" }).end();
      break;
    case "garbage":
      response.writeHead(200, JSON_TYPE).end("<html>It works!</html>");
      break;
    case "half":
      response.writeHead(200, { ...JSON_TYPE, "content-length": "100" });
      response.write('{"success":', () => response.destroy());
      break;
    case "huge":
      response.writeHead(200, JSON_TYPE).end(`{"filler":"${"x".repeat(HUGE_BYTES)}"}`);
      break;
    case "nothing":
      break;
  }
}
