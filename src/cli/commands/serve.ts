import { forwardSignals, started } from "../child.ts";
import { does, leaf } from "../command.ts";
import { engineEntry } from "../engine-entry.ts";

interface Serving {
  readonly port?: string;
  readonly host?: string;
  readonly store?: string;
  readonly auth?: boolean;
}

export const serve = () =>
  does<Serving>(
    leaf("serve", {
      summary: "Start an engine here",
      about: "Settings come from the environment and .env, as with npm start; these options win. It runs until Ctrl-C",
      examples: ["envm serve --port 0 --store memory: --no-auth"],
    })
      .option("--port <port>", "where it listens (ENV_MANAGER_PORT); 0 takes any free one")
      .option("--host <address>", "the address that it binds (ENV_MANAGER_HOST)")
      .option("--store <url>", "where everything is kept (STORE_URL)")
      .option("--no-auth", "ask nobody for a token: for development, on this machine alone"),
    async (_context, { port, host, store, auth }) => {
      const settings = {
        ...(port !== undefined && { ENV_MANAGER_PORT: port }),
        ...(host !== undefined && { ENV_MANAGER_HOST: host }),
        ...(store !== undefined && { STORE_URL: store }),
        ...(auth === false && { ENV_MANAGER_AUTH: "off" }),
      };
      const engine = started({ command: process.execPath, args: engineEntry(), env: { ...process.env, ...settings } });
      const forwarding = forwardSignals(() => engine);
      const code = await engine.ended;
      forwarding.release();
      return code;
    },
  );
