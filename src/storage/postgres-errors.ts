import pg from "pg";
import { AppError } from "../errors.ts";

/** The SQLSTATE of everything that PgBouncer says itself. */
const POOLER = "08P01";

/** What reasons call the server once the engine runs: callers of the API have no business with its address. */
export const RUNNING = "the engine's database";

/** No connection could be made: nothing was sent. */
export class NoConnection extends Error {
  override readonly name = "NoConnection";
}

/** What a server calls an error after which the connection goes on, in each language that it speaks. The driver leaves out the untranslated word. */
const ERRORS: ReadonlySet<string | undefined> = new Set(
  "ERROR CHYBA ERREUR ERRO ERRORE BŁĄD FEHLER FEL HATA ОШИБКА ПОМИЛКА შეცდომა 오류 错误 錯誤".split(" "),
);

/**
 * Whether the server itself said that the statement failed, so that it is known to have done nothing. Otherwise the connection
 * broke, or the server ended it: what became of the statement is unknown.
 */
export function isAnswer(error: unknown): boolean {
  return error instanceof pg.DatabaseError && ERRORS.has(error.severity) && !/^(08|57P|40003)/.test(error.code ?? "");
}

/** Whether a group was undone since an object was to be a delta upon one that is not there any more. */
export function lacksBase(error: unknown): boolean {
  return sqlState(error) === "EM002";
}

/** Whether it may be one commit that made its group fail, and not the server's condition. */
export function mayBeOne(error: unknown): boolean {
  return !/^(25|42|57|58)/.test(sqlState(error));
}

/** Whether a write was given up, and nothing written, since somebody else kept a lock for too long. */
export function isLocked(error: unknown): boolean {
  return error instanceof AppError && sqlState(error.cause) === "55P03";
}

/**
 * What a failure means to the caller: `storage_full` (nothing was written, try again when there is room) or `store_unavailable`.
 * What is neither the server's nor the connection's comes back unchanged. A server that falls over for want of room may have committed
 * what it was about to.
 *
 * `subject` is what the reason calls the server: its address for the operator at start, less for those who call the API.
 */
export function storeError(error: unknown, subject: string): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  const cause = error instanceof NoConnection ? error.cause : error;
  const state = sqlState(cause);
  if (state === "53100" && isAnswer(cause)) {
    return new AppError("storage_full", {
      reason: `The disk of ${subject} is full.`,
      fix: "Free some space on the database server: writes then succeed again by themselves. Reads go on meanwhile.",
      cause,
    });
  }
  const said = state === POOLER ? messageOf(cause) : state || nodeCode(cause) || messageOf(cause);
  const [, what, fix] = REASONS.find(([begins]) => said.startsWith(begins)) ?? [
    "",
    state === "" ? "does not answer." : `failed (SQLSTATE ${state}).`,
    state === "" ? "See that the database server runs and can be reached." : "Look at the database server's log.",
  ];
  return new AppError("store_unavailable", { reason: `${subject} ${what}`.replace(/^the /, "The "), fix, cause });
}

const REFUSED = ["refuses the user or the password.", "Set the user and the password in STORE_URL; special characters as %XX."] as const;
const NO_DATABASE = ["has no such database.", "Create the database, or name another one in STORE_URL."] as const;

/** By SQLSTATE, code of Node or message: what is the matter, and what to do. */
const REASONS: readonly (readonly [begins: string, reason: string, fix: string])[] = [
  ["28", ...REFUSED],
  ["3D000", ...NO_DATABASE],
  // What PgBouncer says itself.
  ["SASL authentication failed", ...REFUSED],
  ["password authentication failed", ...REFUSED],
  ["no such user", ...REFUSED],
  ['database "', ...NO_DATABASE],
  ["no such database", ...NO_DATABASE],
  [
    "transaction blocks not allowed",
    "lies behind a pooler that gives each statement another connection.",
    "Set PgBouncer's pool_mode to transaction, and give the server itself to STORE_URL: ?listen=db.internal:5432. Or set it to session.",
  ],
  [
    "no more connections allowed",
    "lies behind a pooler that takes no more clients.",
    "Raise PgBouncer's max_client_conn: 15 for each engine.",
  ],
  [
    "query_wait_timeout",
    "lies behind a pooler whose connections to the server are all taken.",
    "Raise PgBouncer's default_pool_size: with pool_mode=session each engine needs up to 15.",
  ],
  [
    "42501",
    "does not let this user do that.",
    "Let the user own the schema, or own the database so that it can make the schema: see docs/operations.md.",
  ],
  ["25006", "is read-only.", "Let STORE_URL lead to the primary, and see that it takes writes."],
  ["a standby", "is a standby, which may be behind.", "STORE_URL must lead to the primary."],
  ["55P03", "is waiting for a lock that another session holds.", "Look for a transaction that was left open on the database server."],
  ["53100", "has no room left on its disk.", "Free some space on the database server."],
  ["53300", "has no connection left.", "Raise max_connections, lower pool_size in STORE_URL, or put a pooler in between."],
  ["57P03", "is starting up or shutting down.", "Wait until it runs."],
  ["57P", "was shut down or restarted.", "Wait until it runs."],
  ["40", "gave the transaction up.", "Send the request again."],
  ["ECONNREFUSED", "refuses connections.", "See that the database server runs and listens on this address."],
  ["ENOTFOUND", "cannot be found by its name.", "Correct the host in STORE_URL."],
  ["EAI_AGAIN", "cannot be found by its name just now.", "See that this machine can resolve names."],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "shows a certificate for another name.", "Use the certificate's name as the host in STORE_URL."],
  [
    "The server does not support SSL connections",
    "offers no TLS.",
    "Turn TLS on at the server or, where the network in between is trusted, add sslmode=disable to STORE_URL.",
  ],
  ...["SELF_SIGNED", "DEPTH_ZERO", "UNABLE_TO_", "CERT_"].map(
    (begins) =>
      [
        begins,
        "shows a certificate that cannot be trusted.",
        "Give the authority that signed it: sslrootcert=/path/to/ca.pem in STORE_URL.",
      ] as const,
  ),
];

function sqlState(error: unknown): string {
  return error instanceof pg.DatabaseError ? (error.code ?? "") : "";
}

function nodeCode(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}
