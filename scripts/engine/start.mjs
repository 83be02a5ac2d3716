// `dist/index.js`: starts the engine, whose bundle the build names here.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "./compiled.mjs";

load(dirname(fileURLToPath(import.meta.url)), BUNDLE).run();
