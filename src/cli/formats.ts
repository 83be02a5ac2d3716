import { failed } from "./failure.ts";

export const FORMATS = ["dotenv", "json", "yaml", "shell", "docker"] as const;
export type Format = (typeof FORMATS)[number];

/** Variables in a form that another tool reads back as they are. @throws Failure for a value or name that the form cannot hold */
export async function formatted(format: Format, values: Readonly<Record<string, string>>): Promise<string> {
  switch (format) {
    case "dotenv": {
      const { writeDotenv } = await import("./dotenv-file.ts");
      return writeDotenv(values);
    }
    case "json":
      return `${JSON.stringify(values, null, 2)}\n`;
    case "yaml": {
      const { stringify } = await import("./yaml.ts");
      // Every value is a text, also where YAML would take it for a number or a date.
      return Object.keys(values).length === 0
        ? "{}\n"
        : stringify(values, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 });
    }
    case "shell":
      return lines(values, (name, value) => `export ${shellName(name)}='${value.replaceAll("'", "'\\''")}'`);
    case "docker":
      return lines(values, (name, value) => `${name}=${oneLine(name, value)}`);
  }
}

function lines(values: Readonly<Record<string, string>>, line: (name: string, value: string) => string): string {
  return Object.entries(values)
    .map(([name, value]) => `${line(name, value)}\n`)
    .join("");
}

function shellName(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name;
  throw failed(`${name} cannot name a shell variable.`, "Use --format json, yaml or dotenv.");
}

/** Docker reads an env-file line by line and knows no quotes. */
function oneLine(name: string, value: string): string {
  if (!/[\r\n]/.test(value)) return value;
  throw failed(
    `The value of ${name} has several lines, which an env-file of Docker cannot hold.`,
    "Use --format json, yaml, shell or dotenv.",
  );
}
