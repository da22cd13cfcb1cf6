import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";

import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const OUT = "../stepwell_server/web/static";
const GZIP_BYTES_MIN = 1_024;

/** Leaves a gzip file beside each built one that gets smaller by it, so that the server compresses nothing. */
function compressed(): Plugin {
  return {
    name: "compressed",
    closeBundle() {
      for (const name of readdirSync(OUT, { recursive: true }) as string[]) {
        const path = join(OUT, name);
        if (!statSync(path).isFile() || !/\.(js|css|html|svg|wasm)$/.test(name)) continue;
        const content = readFileSync(path);
        const small = gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
        if (content.length >= GZIP_BYTES_MIN && small.length < content.length) writeFileSync(`${path}.gz`, small);
      }
    },
  };
}

// Relative addresses: the page works below any path that a proxy gives it.
export default defineConfig({
  base: "./",
  plugins: [react(), compressed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900, // kB, before compression
  },
  server: { proxy: { "^/(stepwell_api|api|ajax-api|get-artifact|health|version)": "http://127.0.0.1:5000" } },
});
