import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Names without a hash: a page loaded before a deploy still finds its files after it.
const output = {
  entryFileNames: "assets/page.js",
  chunkFileNames: "assets/[name].js",
  assetFileNames: "assets/[name][extname]",
};

export default defineConfig({
  plugins: [react()],
  build: { outDir: "../assistant/static", emptyOutDir: true, rolldownOptions: { output } },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
  // Milliseconds: what takes longer hangs; a busy machine is no failure.
  test: { environment: "jsdom", testTimeout: 60_000, hookTimeout: 60_000 },
});
