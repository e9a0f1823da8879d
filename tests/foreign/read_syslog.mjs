// Read syslog messages, one as a JSON string a line, with npm's glossy; write what it found, one a line.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { Parse } = createRequire(import.meta.url)("glossy");

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  console.log(JSON.stringify(Parse.parse(JSON.parse(line))));
}
