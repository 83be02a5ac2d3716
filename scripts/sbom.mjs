// Prints what the engine runs with as a software bill of materials (CycloneDX), from package.json and package-lock.json alone.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * `npm sbom --omit dev` leaves out whatever a development dependency uses too, be it the engine's own dependency: a third of all
 * packages here. So npm is asked for everything, and what the lock file says is for development alone is taken away.
 */
const command = "npm sbom --sbom-format cyclonedx --sbom-type application --package-lock-only";
const { status, stdout, stderr } = spawnSync(command, { cwd: root, encoding: "utf8", shell: true, maxBuffer: 64 * 1024 * 1024 });
if (status !== 0) {
  process.stderr.write(`sbom: npm failed, and says:\n${stderr}\n`);
  process.exit(1);
}

const bom = JSON.parse(stdout);
const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
const runtime = new Set(
  Object.entries(packages)
    .filter(([path, { dev }]) => path !== "" && !dev)
    .map(([path, { name, version }]) => `${name ?? path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)}@${version}`),
);
const engine = bom.metadata.component;
// npm names the component by the folder that it is in.
engine.name = packages[""].name;
// By reference: its `name` is the folder's, which another version of a package may have a name of its own for.
bom.components = bom.components.filter((component) => runtime.has(component["bom-ref"]));
const kept = new Set([engine, ...bom.components].map((component) => component["bom-ref"]));
bom.dependencies = bom.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) }));
process.stdout.write(`${JSON.stringify(bom, null, 2)}\n`);
