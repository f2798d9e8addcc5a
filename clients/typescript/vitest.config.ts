import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    coverage: {
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.test.ts", "src/test-kit/**", "src/index.ts"],
      thresholds: { lines: 85 },
      reporter: ["text"],
    },
  },
});
