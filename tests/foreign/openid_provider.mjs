// An organization's OpenID provider as its maintainers ship it (npm oidc-provider), on loopback, for the tests.
// Reads its configuration as one JSON object from standard input; prints {"issuer": "..."} when it answers.
//
//   port     0 takes a free one           users    {name: {password, claims}}
//   clients  as oidc-provider takes them  keys     private JWKs that sign (made here when left out)
//   acr      values it knows              options  anything else of its configuration
import { createServer } from 'node:http';
import { webcrypto } from 'node:crypto';
import { text } from 'node:stream/consumers';

import { Provider } from 'oidc-provider';

const asked = JSON.parse(await text(process.stdin));

async function made(algorithm, kid) {
  const kinds = {
    ES256: { name: 'ECDSA', namedCurve: 'P-256' },
    RS256: { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
  };
  const pair = await webcrypto.subtle.generateKey(kinds[algorithm], true, ['sign', 'verify']);
  const { key_ops: _ops, ext: _ext, ...jwk } = await webcrypto.subtle.exportKey('jwk', pair.privateKey);
  return { ...jwk, kid, alg: algorithm, use: 'sig' };
}

const keys = asked.keys ?? [await made('ES256', 'foreign-es'), await made('RS256', 'foreign-rs')];
const server = createServer();
await new Promise((ready) => { server.listen(asked.port ?? 0, '127.0.0.1', ready); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: asked.clients,
  jwks: { keys },
  cookies: { keys: ['a key for the cookies of the tests alone'] },
  claims: { openid: ['sub', 'acr', 'amr'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
  acrValues: asked.acr ?? [],
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, id) => (id in asked.users
    ? { accountId: id, claims: () => ({ sub: id, ...asked.users[id].claims }) }
    : undefined),
  async loadExistingGrant(ctx) { // everything asked for is allowed, as an organization's own sign-in does
    const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
  ...asked.options,
});

const escaped = (value) => value.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
const page = (uid, sentence) => `<!doctype html><html lang="en"><title>Foreign sign-in</title><p>${escaped(sentence)}</p>
<form method="post" action="/interaction/${uid}"><input name="username"><input name="password" type="password">
<button name="answer" value="in">Sign in there</button><button name="answer" value="no">Cancel there</button></form></html>`;

async function signIn(ctx) {
  const { uid } = await provider.interactionDetails(ctx.req, ctx.res);
  ctx.type = 'html';
  if (ctx.method !== 'POST') {
    ctx.body = page(uid, 'Who are you?');
    return;
  }
  const form = new URLSearchParams(await text(ctx.req));
  const user = asked.users[form.get('username')];
  if (form.get('answer') === 'no') {
    await provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied', error_description: 'Cancelled' });
  } else if (!user || user.password !== form.get('password')) {
    ctx.body = page(uid, 'That is not right.');
    return;
  } else {
    const login = { accountId: form.get('username'), amr: user.amr, acr: user.acr };
    await provider.interactionFinished(ctx.req, ctx.res, { login });
  }
  ctx.respond = false;
}

provider.use(async (ctx, next) => (ctx.path.startsWith('/interaction/') ? signIn(ctx) : next()));
provider.on('server_error', (_ctx, problem) => process.stderr.write(`${problem.stack}\n`));
server.on('request', provider.callback());
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
