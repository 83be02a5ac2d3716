/** Loaded where YAML is read or written, and nowhere else. */
export { parseDocument, stringify, visit } from "yaml";
