/** Loaded where YAML is read or written, and nowhere else. */
export { parseDocument, stringify } from "yaml";
