// Builds the SDK: bundles for programs and browsers, with nothing of the engine's in them, and declarations that stand alone.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import ts from "typescript";

const ENTRIES = ["index", "node", "openfeature"];

/**
 * @param {string} root the package's folder
 * @param {string} outdir where to
 * @returns {Promise<import("esbuild").Metafile>} what went into it
 */
export async function buildSdk(root, outdir) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(ENTRIES.map((name) => [name, `src/sdk/${name}.ts`])),
    outdir,
    bundle: true,
    platform: "browser",
    target: ["node20", "chrome116", "firefox124", "safari17.4"],
    format: "esm",
    // Files that share a chunk share its classes.
    splitting: true,
    sourcemap: true,
    minify: true,
    metafile: true,
    legalComments: "linked",
    external: ["node:*", "@openfeature/server-sdk"],
    chunkNames: "chunk-[hash]",
    logLevel: "warning",
  });
  writeTypes(root, join(outdir, "types"));
  return metafile;
}

/** What the schemas infer is written out, so that nobody needs zod to compile against it. */
function writeTypes(root, outdir) {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const entries = ENTRIES.map((name) => join(root, `src/sdk/${name}.ts`));
  const program = ts.createProgram(entries, {
    ...options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: join(root, "src"),
    outDir: outdir,
  });
  const write = (file, text) => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  program.emit(undefined, (file, text) => {
    if (!file.includes("/schemas/")) write(file, text.replace(/((?:from|import)\s*\(?")(\.[^"]+)\.ts"/g, '$1$2.js"'));
  });
  write(join(outdir, "schemas/routes.d.ts"), routeTypes(program, join(root, "src/schemas/routes.ts")));
  write(join(outdir, "schemas/operations.d.ts"), 'export type { ErrorCode } from "../errors.js";\n');
}

function routeTypes(program, file) {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const symbol = checker.getExportsOfModule(checker.getSymbolAtLocation(source)).find(({ name }) => name === "RouteTypes");
  return [
    'import type { Json, JsonObject } from "../ports.js";',
    `export type RouteTypes = ${written(checker.getDeclaredTypeOfSymbol(symbol), checker, source)};`,
    "",
  ].join("\n");
}

/** A type in full, but for the names of what holds itself. */
function written(type, checker, at) {
  const name = type.aliasSymbol?.name ?? type.symbol?.name;
  if (name === "Json" || name === "JsonObject") return name;
  const print = (part) => written(part, checker, at);
  if (type.isUnion() && !(type.flags & ts.TypeFlags.Boolean)) return type.types.map(print).join(" | ");
  if (checker.isArrayType(type)) {
    const readonly = type.symbol?.name === "ReadonlyArray" ? "readonly " : "";
    return `${readonly}(${print(checker.getTypeArguments(type)[0])})[]`;
  }
  if (!(type.flags & ts.TypeFlags.Object)) return checker.typeToString(type);
  const members = [
    ...checker
      .getIndexInfosOfType(type)
      .map(({ keyType, type: value }) => `readonly [name: ${checker.typeToString(keyType)}]: ${print(value)}`),
    ...checker.getPropertiesOfType(type).map((property) => {
      const mark = property.flags & ts.SymbolFlags.Optional ? "?" : "";
      return `readonly ${JSON.stringify(property.name)}${mark}: ${print(checker.getTypeOfSymbolAtLocation(property, at))}`;
    }),
  ];
  return `{ ${members.join("; ")} }`;
}
