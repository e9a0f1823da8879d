// Verify tokens with npm's jose as their receiver would: JSON {jwks, tokens: [{token, issuer, audience, typ}]} on stdin.
import { createLocalJWKSet, jwtVerify } from "jose";

let input = "";
for await (const part of process.stdin) input += part;
const { jwks, tokens } = JSON.parse(input);
const keys = createLocalJWKSet(jwks);
const found = [];
for (const { token, issuer, audience, typ } of tokens) {
  try {
    const { payload } = await jwtVerify(token, keys, { issuer, audience, typ, algorithms: ["ES256"] });
    found.push({ payload });
  } catch (problem) {
    found.push({ refused: problem.code ?? String(problem) });
  }
}
console.log(JSON.stringify(found));
