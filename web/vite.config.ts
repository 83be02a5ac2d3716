import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The engine that `npm run web` shows, for development with reload. */
const engine = process.env.ENVM_URL ?? "http://127.0.0.1:4006";
const API = ["/env", "/tokens", "/session", "/readyz", "/healthz", "/metrics", "/openapi.json", "/docs", "/ofrep"];

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  plugins: [react()],
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    // The content security policy lets nothing in that is not a file of the engine's own.
    assetsInlineLimit: 0,
    target: "es2022",
  },
  server: { proxy: Object.fromEntries(API.map((path) => [path, { target: engine, changeOrigin: true }])) },
});
