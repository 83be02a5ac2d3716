import { AppError } from "../errors.ts";
import { gitText } from "./run.ts";

/** The first git that connects to the addresses that it is given, and does not look the name up itself. */
const PINS = { major: 2, minor: 37 };

/**
 * What git is configured with to reach a repository over HTTP: it connects to the addresses that were checked (`resolve`, as curl takes
 * them), and shows the credential there alone. As configuration, which git reads from its environment: no list of processes shows it.
 * @throws git_unavailable where the machine's git would look the name up once more, and may be led elsewhere
 */
export async function httpConfig(
  url: URL,
  resolve: string | null,
  credential: { readonly username: string; readonly password: string } | null,
): Promise<Readonly<Record<string, string>>> {
  if (resolve !== null) await checkPins();
  return {
    ...(resolve !== null && { "http.curloptResolve": resolve }),
    ...(credential !== null && { [`http.${url.origin}/.extraHeader`]: `Authorization: Basic ${basic(credential)}` }),
  };
}

let pins: Promise<boolean> | undefined;

async function checkPins(): Promise<void> {
  pins ??= gitText(["version"]).then((text) => {
    const [, major = "0", minor = "0"] = /^git version (\d{1,4})\.(\d{1,4})/.exec(text) ?? [];
    return Number(major) > PINS.major || (Number(major) === PINS.major && Number(minor) >= PINS.minor);
  });
  if (await pins) return;
  throw new AppError("git_unavailable", {
    reason: `The git of the machine that the engine runs on is older than ${PINS.major}.${PINS.minor}, and cannot be kept to the addresses that were checked.`,
    fix: "Whoever runs the engine installs a newer one.",
  });
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return Buffer.from(`${username}:${password}`).toString("base64");
}
