import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** The engine that `npm run web` shows, for development with reload. */
const engine = process.env.ENVM_URL ?? "http://127.0.0.1:4006";
const API = ["/env", "/tokens", "/session", "/readyz", "/healthz", "/metrics", "/openapi.json", "/docs", "/ofrep"];

/** Each file is packed once here, instead of at every request: `src/http/dashboard.ts` sends what it finds. */
const packed: Plugin = {
  name: "packed",
  writeBundle({ dir = "" }) {
    for (const file of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
      if (/\.(html|js|css|svg)$/.test(file)) writeFileSync(join(dir, `${file}.gz`), gzipSync(readFileSync(join(dir, file)), { level: 9 }));
    }
  },
};

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  plugins: [react(), packed],
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    // The content security policy lets nothing in that is not a file of the engine's own.
    assetsInlineLimit: 0,
    target: "es2022",
  },
  server: { proxy: Object.fromEntries(API.map((path) => [path, { target: engine, changeOrigin: true }])) },
});
