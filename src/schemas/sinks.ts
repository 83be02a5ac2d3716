import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { Timestamp } from "./common.ts";

const example = {
  name: "monitoring",
  kind: "monitoring",
  state: "failing",
  head: 42,
  cursor: 40,
  backlog: 2,
  backlog_since: "2026-01-31T11:58:20.000Z",
  taken: 39,
  refused_count: 1,
  refused: [{ seq: 17, reason: "The Monitoring engine answers with status 400.", at: "2026-01-31T11:00:00.000Z" }],
  failures: 3,
  next_at: "2026-01-31T12:00:04.000Z",
  last_error: { at: "2026-01-31T12:00:00.000Z", reason: "The Monitoring engine cannot be reached (ECONNREFUSED)." },
};

const SinkSchema = z
  .object({
    name: z.string().meta({ description: "The engine that it is, a webhook's id, or `git`: the project's mirror." }),
    kind: z.string().meta({ description: "`monitoring`, `deployment`, `feedback`, `webhook` or `git`." }),
    state: z.enum(["ok", "waiting", "failing", "inactive"]).meta({
      description:
        "`ok`: has everything. `waiting`: has not had everything yet. `failing`: the newest try failed. `inactive`: switched off.",
    }),
    head: z.int().min(1).meta({ description: "The number of the project's newest audit record." }),
    cursor: z.int().min(0).meta({ description: "The number of the newest record that is done with." }),
    backlog: z.int().min(0).meta({ description: "Records that are not." }),
    backlog_since: Timestamp.nullable().meta({ description: "When the oldest of them was recorded; null where there is none." }),
    taken: z.int().min(0).meta({ description: "Records that it has." }),
    refused_count: z.int().min(0).meta({ description: "Records that it said it will never take." }),
    refused: z
      .array(z.object({ seq: z.int(), reason: z.string(), at: Timestamp }))
      .meta({ description: `The newest ${LIMITS.sinkRefusals} of them.` }),
    failures: z.int().min(0).meta({ description: "Failures in a row." }),
    next_at: Timestamp.nullable().meta({ description: "When it is tried again." }),
    last_error: z.object({ at: Timestamp, reason: z.string() }).nullable().meta({ description: "Kept when it works again." }),
  })
  .meta({ id: "Sink", description: "Where a project's audit records are sent, and how far that has come.", examples: [example] });

export const SinkList = z
  .object({ items: z.array(SinkSchema) })
  .meta({ id: "SinkList", description: "Every sink of a project.", examples: [{ items: [example] }] });
