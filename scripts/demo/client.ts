import type { Narration } from "./narration.ts";
import { StepFailed } from "./step-failed.ts";
import { until } from "./waiting.ts";

interface Question<Body> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  readonly path: string;
  readonly body?: unknown;
  /** The status that this step is about; any other one ends the demo. */
  readonly status?: number;
  /** What of the reply is worth showing. */
  readonly shows: (body: Body) => readonly string[];
  /** A status that is answered for a while yet: until it is another one, the same is asked again. */
  readonly meanwhile?: number;
}

/** Who asks. */
interface Person {
  readonly name: string;
  readonly token: string;
}

/** Asks the engine over HTTP as somebody, and tells what was asked and what came back. */
export class Client {
  readonly url: string;
  readonly #narration: Narration;
  readonly #person: Person;

  constructor(url: string, narration: Narration, person: Person) {
    this.url = url;
    this.#narration = narration;
    this.#person = person;
  }

  as(person: Person): Client {
    return new Client(this.url, this.#narration, person);
  }

  async ask<Body>({ method, path, body, status = 200, shows, meanwhile }: Question<Body>): Promise<Body> {
    this.#narration.asked(method, `${path} as ${this.#person.name}`, body);
    const reply = await until(`${method} ${path} still answers ${meanwhile}`, async () => {
      const answered = await this.#send(method, path, body);
      return answered.status === meanwhile ? null : answered;
    });
    const content: unknown = await reply.json().catch(() => null);
    if (reply.status !== status)
      throw new StepFailed(`${method} ${path} answered ${reply.status} where ${status} was due. ${explained(content)}`);
    this.#narration.answered(reply.status, outcome(content), shows(content as Body));
    return content as Body;
  }

  /** Looks at something until it is as it should be, and says nothing of it. */
  async awaits<Body>(path: string, what: string, isDone: (body: Body) => boolean): Promise<void> {
    await until(`${path} does not show ${what}`, async () => {
      const reply = await this.#send("GET", path, undefined);
      const content = (await reply.json().catch(() => null)) as Body | null;
      return reply.ok && content !== null && isDone(content) ? true : null;
    });
  }

  async #send(method: string, path: string, body: unknown): Promise<Response> {
    try {
      return await fetch(new URL(path, this.url), {
        method,
        headers: {
          ...(body !== undefined && { "content-type": "application/json" }),
          authorization: `Bearer ${this.#person.token}`,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new StepFailed(`${method} ${path} got no answer: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
}

interface ErrorReply {
  readonly code?: string;
  readonly reason?: string;
  readonly fix_suggestion?: string;
  readonly status?: unknown;
}

function outcome(content: unknown): string {
  const { status, code } = (content ?? {}) as ErrorReply;
  return code ?? (typeof status === "string" ? status : "OK");
}

function explained(content: unknown): string {
  const { code, reason, fix_suggestion } = (content ?? {}) as ErrorReply;
  return [code && `${code}:`, reason, fix_suggestion].filter(Boolean).join(" ");
}
