import { defineConfig } from "vite";

// One classic script and one style sheet, without imports or other files: the same pair is served and inlined.
export default defineConfig({
  publicDir: false,
  build: {
    target: "es2022",
    outDir: "../static",
    emptyOutDir: true,
    cssCodeSplit: false,
    lib: {
      entry: "src/main.ts",
      name: "Mesh4DViewer",
      formats: ["iife"],
      fileName: () => "viewer.js",
      cssFileName: "viewer",
    },
  },
});
