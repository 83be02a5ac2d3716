/** What to type, where the engine says what to send. Where it says what to type, or nothing of requests, nobody knows better. */

type Details = Readonly<Record<string, unknown>>;

const FIXES: Readonly<Record<string, string>> = {
  unauthorized: "Log in (envm login), or set ENVM_TOKEN.",
  timeout: "Try again: envm doctor says how the engine does.",
  route_not_found: "Check the address (--url, ENVM_URL): envm doctor says what answers there. An older engine may not know this command.",
  environment_not_found: "envm env list shows what there is.",
  base_not_found: "envm env list shows what there is.",
  promotion_not_found: "envm approve shows which wait.",
  token_not_found: "envm token list shows what there is.",
  collection_not_found: "envm state get shows what there is.",
  component_not_found: "envm state get COLLECTION --plain lists what there is.",
  secret_stays_secret: "Set it with envm secret set; to make a var of it, remove the secret first: envm secret unset.",
  project_not_found: "Check -p and the spelling: envm whoami says which projects the token may see. envm env create makes a new one.",
  precondition_failed: "Somebody changed it meanwhile: look at it, and send the command again.",
  plan_stale: "Look at the new plan: send the command again, with --dry-run first.",
  history_rewritten: "Look at who rewrote the branch, and why; where it is meant, add --accept-rewrite.",
  mirror_not_found: "envm git mirror set sets one.",
  unrelated_histories: "Add --replace, or promote a part: --only.",
};

/** Those that depend on what was asked for; `null` where there is nothing better. */
const FIXES_OF: Readonly<Record<string, (fix: string, details: Details) => string | null>> = {
  // One that was there, and went, needs no start.
  connection_failed: (fix) => (/^Check the address/.test(fix) ? "Start the engine (envm serve), or name another: --url, ENVM_URL." : null),
  key_not_found: (fix) => (/names of its secrets/.test(fix) ? "envm secret list shows what there is." : null),
  checks_failed: (fix, { checks }) => {
    const first = Array.isArray(checks) ? (checks as Check[]).find((check) => check.status === "failed") : undefined;
    return first === undefined ? null : checkFix(first.name, fix, first.details ?? {});
  },
};

interface Check {
  readonly name: string;
  readonly status: string;
  readonly details?: Details;
}

/** Requests that the engine names within what else it says, and the commands that send them. */
const COMMANDS: readonly (readonly [said: RegExp, typed: string])[] = [
  [/POST \/env\/restore \{"project_id":"[^"]*","env":"([^"]*)"\}/, "envm env restore $1"],
  [/POST \/env\/restore/, "envm env restore"],
  [/POST \/env\/create and "type":"preview"/, "envm preview create"],
  [/Send "type":"preview" to bring it up to date/, "Bring it up to date with envm preview create"],
  [/POST \/env\/rollback/, "envm rollback"],
  [/POST \/env\/extend/, "envm preview extend"],
  [/POST \/env\/promote with "target_env":"[^"]*"/, "envm promote"],
  [/POST \/env\/resume/, "envm resume"],
  [/POST \/tokens/, "envm token create"],
  [/PATCH \/env\/[^/\s]+\/([^/\s]+)\/config with \{"secrets":\{"([^"]+)":"…"\}\}/, "envm secret set $2 -e $1"],
  [/GET \/env\/[^/\s]+\/versions/, "envm versions"],
  [/GET \/env\/[^/\s]+\/([^/\s]+)\/revisions/, "envm history $1"],
  [/Send it to PATCH \S+ as \{"(var|flag|secret)s":\{…\}\}/, "Set it with envm $1 set"],
  [/Send a `message`/, "Say why: -m"],
  [/Send `expires_in` such as `24h`, or `expires_at`/, "Say --ttl 24h, or --until with a time"],
  [
    /Leave the expiry out, or create the environment with "type":"preview"/,
    "Leave it as it is, or make a preview of it: envm preview create",
  ],
  [/, for example "expires_in":"([^"]+)"/, ", for example --ttl $1"],
  [/^Send one of them\.$/, "Give --ttl or --until, not both."],
  [/^Send the request again\.$/, "Send the command again."],
  [/ as source_env and target_env/, ""],
  [/^Correct what details\.faults names, or send true or false/, "Correct it there, or say on or off"],
  [/^Correct each field that details\.issues names\. GET \/openapi\.json describes all fields/, "--help shows what the command takes"],
  [/GET …\/([^/\s]+)\/config lists what it has/, "envm var list -e $1 and envm flag list -e $1 list what it has"],
];

export function fixFor(code: string, fix: string, details: Details = {}): string {
  if (fix.includes("envm ")) return fix;
  const known = Object.hasOwn(FIXES_OF, code) ? FIXES_OF[code]?.(fix, details) : Object.hasOwn(FIXES, code) ? FIXES[code] : undefined;
  return known ?? COMMANDS.reduce((text, [said, typed]) => text.replace(said, typed), fix);
}

/** What to do about one check of a plan, given what the engine says of it. */
export function checkFix(name: string, fix: string, details: Details): string {
  if (name === "hold" && fix.includes("/env/resume")) return "envm resume lifts it; so does promoting by hand what changes something.";
  if (name === "diverged" && fix.includes('"resolve"'))
    return "Settle each: --resolve NAME=ours keeps the target's, NAME=theirs takes the source's, NAME=@FILE gives what takes the place of both.";
  if (name === "diverged" && fix.includes('"strategy"'))
    return "Add --merge to keep both sides' changes, or --replace to give up the target's.";
  if (name === "secrets_isolated" && fix.includes("PATCH")) return `${fix.replace(/ with PATCH.*$/, "")}: envm secret set.`;
  if (name === "config_complete" && fix.includes("PATCH")) return bindingOf(fix, details);
  return fix;
}

const SETTING: Readonly<Record<string, readonly [before: string, after: string]>> = {
  vars: ["envm var set ", "=VALUE"],
  secrets: ["envm secret set ", ""],
  flags: ["envm flag set ", "=false"],
};
/** As many as the engine's own examples. */
const TOLD = 3;

function bindingOf(fix: string, { unbound }: Details): string {
  const [, env] = /\/env\/[^/\s]+\/([^/\s]+)\/config/.exec(fix) ?? [];
  const entries = Array.isArray(unbound) ? unbound.filter((entry) => typeof entry === "string") : [];
  const lines = entries.slice(0, TOLD).flatMap((entry) => {
    const slash = entry.indexOf("/");
    const [before, after] = SETTING[entry.slice(0, slash)] ?? [];
    return before === undefined ? [] : [`${before}${entry.slice(slash + 1)}${after}${env === undefined ? "" : ` -e ${env}`}`];
  });
  return lines.length === 0 ? fix : `${lines.join("; ")}.`;
}
