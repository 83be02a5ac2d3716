// @ts-check
"use strict";

// Version 12 of better-sqlite3 is the last that runs on Node 20. From Node 24.19 on it brings the process down within minutes: its native code
// takes back, while garbage is collected, a hook of an environment that V8 no longer names then. Version 13 is written against Node-API, which has no
// such thing, and needs Node 22. CommonJS, since one of the two is not there: which one is known only now.
const OLDEST_WITH_NODE_API = 22;

module.exports =
  Number.parseInt(process.versions.node, 10) < OLDEST_WITH_NODE_API ? require("better-sqlite3") : require("better-sqlite3-napi");
