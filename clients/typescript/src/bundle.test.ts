import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

const dist = resolve(import.meta.dirname, "../dist/index.js");

async function bundled(source: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  try {
    writeFileSync(join(folder, "app.js"), source.replace("@oriva/realtime", dist));
    const bundle = await rolldown({ input: join(folder, "app.js"), external: ["@microsoft/signalr"] });
    const { output } = await bundle.generate({ minify: true });
    return gzipSync(output[0].code).length;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("What an application bundles is less than 15 kB, and only what it uses", async () => {
  expect(readFileSync(dist, "utf8")).toContain("RealtimeClient");
  const client = await bundled(`import { RealtimeClient } from "@oriva/realtime"; globalThis.client = RealtimeClient;`);
  const error = await bundled(`import { RealtimeError } from "@oriva/realtime"; globalThis.error = RealtimeError;`);
  console.log(`RealtimeClient: ${client} bytes with gzip; RealtimeError alone: ${error}`);
  expect(client).toBeLessThan(15_000);
  expect(error).toBeLessThan(1_000);
});
