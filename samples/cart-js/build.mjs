// node build.mjs WIT OUT: makes a component of app.js.

import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [wit, out] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: new URL("app.js", import.meta.url).pathname,
  witPath: wit,
  worldName: "app",
  disableFeatures: ["fetch-event"],
});
await writeFile(out, component);
