import { packageVersion } from "../../package.ts";
import { does, leaf } from "../command.ts";

export const mcp = () =>
  does(
    leaf("mcp", {
      summary: "Serve tools to an assistant, by the Model Context Protocol",
      about:
        "Speaks on standard input and output until the input ends: an assistant's program starts it. The tools do what the token may do, show a plan before they change anything, and neither show nor take secrets. The project is what -p, ENVM_PROJECT or .envm.json names, where the assistant names none",
      examples: ["envm mcp < /dev/null"],
    }),
    async ({ client, settings, output }) => {
      const { serveStdio } = await import("../../mcp/stdio.ts");
      output.note(`envm mcp: tools of the engine at ${settings.url}, until standard input ends`);
      await serveStdio({ client, project: settings.project, version: packageVersion() });
    },
  );
