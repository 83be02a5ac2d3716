import { BOUNDS } from "../bounds.ts";
import { does, group, leaf } from "../command.ts";
import { limitOf, listed } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failed } from "../failure.ts";
import { isStdout, writeWhole } from "../files.ts";
import { moment } from "../telling.ts";

interface Listing {
  readonly limit?: string;
  readonly action?: string;
  readonly actor?: string;
}

const list = () =>
  does<Listing>(
    leaf("list", {
      summary: "Who did what, when; newest first",
      aliases: ["ls"],
      examples: ["envm audit list", "envm audit list -e staging --action promote --limit 10"],
    })
      .option("--action <action>", "records of this action alone")
      .option("--actor <actor>", "records of this actor alone")
      .option("--limit <n>", "how many at most", String(BOUNDS.listed)),
    async (context, { limit, action, actor }) => {
      const { client, output, project, options } = context;
      const env = options.env === undefined ? undefined : await context.resolve(options.env);
      const request = {
        project,
        ...(env !== undefined && { env }),
        ...(action !== undefined && { action }),
        ...(actor !== undefined && { actor }),
      };
      const most = limitOf(limit);
      output.list(await listed(client.listAudit, request, most), most, {
        plain: ({ seq, action: done, actor: by }) => `${seq}\t${done}\t${by}`,
        headings: ["SEQ", "WHEN", "WHO", "ACTION", "ENVIRONMENT", "VERSION", "REV"],
        row: (item) => [
          String(item.seq),
          moment(item.at),
          item.actor,
          item.action,
          item.environment ?? "",
          item.version ?? "",
          item.revision === null ? "" : String(item.revision),
        ],
      });
    },
  );

const verify = () =>
  does<{ readonly expect?: string }>(
    leaf("verify", {
      summary: "Whether nobody altered the audit log; exit code 1 where somebody did",
      about: "Note the head that it prints: with --expect it later also finds a log whose end was cut off",
      examples: ["envm audit verify", "envm audit verify --expect $HEAD", "envm audit verify --plain"],
    }).option("--expect <seq:hash>", "a head that was noted earlier"),
    async (context, { expect }) => {
      const { output, project } = context;
      const request = { project, ...(expect !== undefined && { expect }) };
      const reply = await context.watched("Verifying", (client) => client.verifyAudit(request));
      if (output.mode === "json") output.json(reply);
      if (output.mode === "plain") output.line(reply.head);
      if (reply.valid) output.say(`The audit log is whole: ${reply.records} records, head ${reply.head}.`, "good");
      else
        output.error(
          `The audit log was altered${reply.broken_at === undefined ? "" : ` at record ${reply.broken_at}`}: ${reply.reason ?? ""}`,
          "Keep a copy of the store, and find out who wrote to it.",
        );
      return reply.valid ? EXIT.ok : EXIT.failed;
    },
  );

const exportLog = () =>
  does<{ readonly output?: string; readonly signature?: string }>(
    leaf("export", {
      summary: "Every record, oldest first, one JSON object on each line",
      about: "docs/audit.md says how somebody else verifies it: that takes the signature too",
      aliases: ["pull"],
      examples: ["envm audit export -o audit.ndjson --signature audit.jws", "envm audit export"],
    })
      .argument("[file]", "the same as -o")
      .option("-o, --output <file>", "the file to write, as a whole or not at all")
      .option("--signature <file>", "writes the engine's signature over the log there"),
    async (context, { output: named, signature: signatureFile }, argument?: string) => {
      const { output, project } = context;
      const file = named ?? argument;
      let count = 0;
      let signature: string | null = null;
      const onHeaders = (headers: Headers) => {
        signature = headers.get("audit-signature");
      };
      await context.watched("Reading", async (client) => {
        async function* lines() {
          for await (const record of client.exportAudit({ project }, { onHeaders })) {
            count++;
            yield `${JSON.stringify(record)}\n`;
          }
        }
        if (!isStdout(file)) return writeWhole(file, lines());
        for await (const line of lines()) {
          if (output.closed) return;
          await output.flowing(line);
        }
      });
      if (signatureFile !== undefined) {
        if (signature === null) throw failed("This engine did not sign the log.", "Bring it up to date.");
        await writeWhole(signatureFile, `${signature}\n`);
      }
      if (isStdout(file)) return EXIT.ok;
      if (output.mode === "json") return output.json({ status: "exported", file, count });
      output.say(`Wrote ${count} records to ${file}.`, "good");
    },
  );

export const audit = () => group("audit", "The audit log", [], [list(), verify(), exportLog()]);
