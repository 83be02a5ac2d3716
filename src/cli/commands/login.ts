import type { Client } from "../../sdk/client.ts";
import { EnvmError } from "../../sdk/errors.ts";
import { does, leaf } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { loginFile, readLogins, writeLogins } from "../settings.ts";
import { readValue } from "../values.ts";
import { grantLine } from "./whoami.ts";

export const login = () =>
  does(
    leaf("login", {
      summary: "Keep a token for an engine",
      about:
        "The token is asked for, or read from standard input, from --token or ENVM_TOKEN. It is tried first, and then kept in a file that only you may read, for this address alone",
      examples: ["envm login", "envm login --url http://127.0.0.1:4006 --token @token.txt", "cat token.txt | envm login"],
    }),
    async (context) => {
      const { settings, output } = context;
      const typed = context.options.token === undefined ? (process.env["ENVM_TOKEN"]?.trim() ?? "") : (settings.token ?? "");
      const token = typed || (await readValue("the token", null, { prompts: context.prompts, hidden: true })).trim();
      const { actor, token_id, grants } = await context.newClient({ token }).getSession().catch(notTaken);
      const { logins } = readLogins();
      await writeLogins({ current: settings.url, logins: { ...logins, [settings.url]: { token, actor, token_id } } });
      if (output.mode === "json") output.json({ actor, token_id, grants });
      output.say(`Logged in to ${settings.url} as ${actor}.`, "good");
      for (const grant of grants) output.say(`  ${grantLine(grant)}`);
      if (process.env["ENVM_TOKEN"]) output.warn("ENVM_TOKEN is set, and is used in place of what was kept.");
    },
  );

/** Who is logging in is not told to log in. */
function notTaken(error: unknown): never {
  if (!(error instanceof EnvmError && error.code === "unauthorized")) throw error;
  throw new Failure(
    EXIT.access,
    error.code,
    error.message,
    "Look whether it was copied whole, and for this engine; else ask who administers it for a new one: envm token create.",
  );
}

export const logout = () =>
  does<{ readonly all?: boolean; readonly revoke?: boolean }>(
    leaf("logout", {
      summary: "Forget the token of an engine",
      about: "The token itself stays valid: --revoke ends it for everybody who has it",
      examples: ["envm logout", "envm logout --all"],
    })
      .option("--all", "of every engine")
      .option("--revoke", "end the token too, where it may do that"),
    async (context, { all, revoke }) => {
      const { settings, output } = context;
      const { current, logins } = readLogins();
      const gone = Object.entries(logins).filter(([url]) => all || url === settings.url);
      for (const [url, { token, token_id }] of revoke ? gone : []) await ended(context.newClient({ url, token }), token_id);
      const kept = Object.fromEntries(Object.entries(logins).filter(([url]) => !gone.some(([other]) => other === url)));
      if (gone.length > 0) await writeLogins({ current: current !== null && current in kept ? current : null, logins: kept });
      if (output.mode === "json") output.json({ status: "logged_out", urls: gone.map(([url]) => url) });
      output.say(
        gone.length === 0
          ? `There is no login for ${settings.url} in ${loginFile()}.`
          : `Logged out of ${gone.map(([url]) => url).join(", ")}.`,
      );
      if (process.env["ENVM_TOKEN"]) output.warn("ENVM_TOKEN is still set in this shell.");
    },
  );

/** A token that has ended already is as gone as it should be. */
async function ended(client: Client, id: string): Promise<void> {
  await client.revokeToken({ id }).catch((error: unknown) => {
    if (!(error instanceof EnvmError && error.code === "unauthorized")) throw error;
  });
}
