import { createClient } from "redis";
import { RedisServer } from "../../tests/support/redis.ts";
import { rawRequest, startAuthorized } from "../authorized.ts";
import { withFolder } from "../folders.ts";
import { alternate, perSecond, type Row, ratioRow, skippedRow, timesFaster } from "../measure.ts";
import { RawLoad } from "../raw-load.ts";
import { hasRedis } from "../redis-commits.ts";

const CLIENTS = 64;
const READS_A_TURN = 20_000;
const TURNS = 5;
const ID = "config-read-redis";

/** Redis' GET of the same bytes beside a config read: what a cache in front of the engine would cost. */
export async function redis(): Promise<Row[]> {
  if (!hasRedis()) return [skippedRow(ID, "config read", "redis-server is not installed")];
  return withFolder(async (folder) => {
    const engine = await startAuthorized(folder);
    const server = await RedisServer.start();
    const client = createClient({ url: server.url });
    await client.connect();
    try {
      await engine.send("POST", "/env/create", { project_id: "bench", new_environment: "production", env_variables: variables() });
      const path = "/env/bench/production/config";
      const authorization = { Authorization: `Bearer ${await engine.token("reader")}` };
      const body = await (await fetch(engine.url + path, { headers: authorization })).text();
      await client.set("config", body);
      const version = /redis_version:(\S+)/.exec(await client.info("server"))?.[1] ?? "";
      const common = { clients: CLIENTS, amount: READS_A_TURN };
      const subject = new RawLoad(engine.url, { ...common, request: rawRequest(engine.url, "GET", path, authorization) });
      const baseline = new RawLoad(server.url, { ...common, request: "*2\r\n$3\r\nGET\r\n$6\r\nconfig\r\n", answerLength: bulkLength });
      const pairs = await alternate(
        TURNS,
        () => subject.run(),
        () => baseline.run(),
      );
      return [
        ratioRow({
          id: ID,
          work: `the config of an environment read, ${body.length} bytes, ${CLIENTS} clients`,
          subject: "GET config with a token over HTTP",
          baseline: `Redis ${version}, GET of the same bytes`,
          pairs,
          unit: perSecond,
          ratio: timesFaster,
          goal: null,
          latency: [subject.latency("config read"), baseline.latency(`Redis ${version} GET`)],
          about:
            "Redis speaks its own protocol, of which a request is 27 bytes and an answer has one line of head; it is written in C, checks no token and knows of no rights. No pipelining on either side.",
        }),
      ];
    } finally {
      client.destroy();
      await Promise.all([engine.stop(), server.dispose()]);
    }
  });
}

function variables(): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`VAR_${n}`, `https://service-${n}.example.com`]));
}

/** `$<bytes>\r\n<bytes>\r\n` */
function bulkLength(start: string): number | null {
  const head = start.indexOf("\r\n") + 2;
  if (head < 2) return null;
  if (!start.startsWith("$")) throw new Error(`Redis answered ${start.slice(0, 200)}`);
  return head + Number(start.slice(1, head - 2)) + 2;
}
