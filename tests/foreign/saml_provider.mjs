// An organization's SAML identity provider as its maintainers ship it (npm samlify), on loopback, for the tests.
// Reads {key, certificate, users} as one JSON object from standard input; prints {"issuer": "..."} when it answers.
// POST /sp gives it our metadata; POST /mode says how it answers at /sso from now on:
//   user      who signs in (fran)                        encrypt   true: the assertion is encrypted
//   message   true: the response is signed too           order     "encrypt": sign the response after encrypting
//   slo       "post": logout by form
//   data      the cipher   algorithm   the signature     in_response_to   another request's id
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import samlify from 'samlify';

samlify.setSchemaValidator({ validate: async () => 'skipped' }); // our side is what these tests look at
const asked = JSON.parse(await text(process.stdin));
const server = createServer();
await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
const issuer = `http://127.0.0.1:${server.address().port}`;
const { binding } = samlify.Constants.namespace;
let mode = {};
let ours = '';
const ended = []; // what logout requests of ours said

const context = samlify.SamlLib.defaultLoginResponseTemplate.context;
function provider() {
  return samlify.IdentityProvider({
    entityID: issuer,
    signingCert: asked.certificate,
    privateKey: asked.key,
    isAssertionEncrypted: Boolean(mode.encrypt),
    dataEncryptionAlgorithm: mode.data ?? 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
    keyEncryptionAlgorithm: 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
    requestSignatureAlgorithm: mode.algorithm ?? 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    wantAuthnRequestsSigned: true,
    wantLogoutResponseSigned: true,
    nameIDFormat: ['urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'],
    singleSignOnService: [{ Binding: binding.redirect, Location: `${issuer}/sso` }],
    singleLogoutService: [{ Binding: mode.slo === 'post' ? binding.post : binding.redirect, Location: `${issuer}/slo` }],
    loginResponseTemplate: { context },
  });
}

function service() {
  return samlify.ServiceProvider({ metadata: ours, wantMessageSigned: Boolean(mode.message), wantLogoutRequestSigned: true, wantLogoutResponseSigned: true });
}

// Reads a logout request of ours and answers it by the binding it came with.
async function leaving(way, request, relayState) {
  const [idp, sp] = [provider(), service()];
  const parsed = await idp.parseLogoutRequest(sp, way, request);
  ended.push(parsed.extract);
  const made = await idp.createLogoutResponse(sp, parsed, way, relayState);
  if (way === 'redirect') return made.context;
  return `<form method="post" action="${made.entityEndpoint}">`
    + `<input type="hidden" name="SAMLResponse" value="${made.context}">`
    + `<input type="hidden" name="RelayState" value="${relayState}"><button>Go on</button></form>`;
}

async function answered(query, octetString) {
  const [idp, sp] = [provider(), service()];
  const request = await idp.parseLoginRequest(sp, 'redirect', { query, octetString });
  const user = asked.users[mode.user ?? 'fran'];
  const now = new Date();
  const later = new Date(now.getTime() + 300000).toISOString();
  const id = () => `_${[...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
  const statement = `<saml:AuthnStatement AuthnInstant="${now.toISOString()}" SessionIndex="${user.session}">`
    + `<saml:AuthnContext><saml:AuthnContextClassRef>${user.acr}</saml:AuthnContextClassRef></saml:AuthnContext>`
    + '</saml:AuthnStatement>';
  const attribute = '<saml:AttributeStatement><saml:Attribute Name="mail">'
    + `<saml:AttributeValue>${user.mail}</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`;
  const acs = sp.entityMeta.getAssertionConsumerService('post');
  const made = id();
  const fill = (template) => ({
    id: made,
    context: samlify.SamlLib.replaceTagsByValue(template, {
      ID: made, AssertionID: id(), Destination: acs, Audience: sp.entityMeta.getEntityID(), SubjectRecipient: acs,
      Issuer: issuer, IssueInstant: now.toISOString(), StatusCode: 'urn:oasis:names:tc:SAML:2.0:status:Success',
      ConditionsNotBefore: now.toISOString(), ConditionsNotOnOrAfter: later, SubjectConfirmationDataNotOnOrAfter: later,
      NameIDFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', NameID: user.subject,
      InResponseTo: mode.in_response_to ?? request.extract.request.id,
    }).replace('{AuthnStatement}', statement).replace('{AttributeStatement}', attribute),
  });
  const options = { customTagReplacement: fill, encryptThenSign: mode.order === 'encrypt', relayState: query.RelayState };
  const response = await idp.createLoginResponse(sp, request, 'post', {}, options);
  return `<form method="post" action="${response.entityEndpoint}">`
    + `<input type="hidden" name="SAMLResponse" value="${response.context}">`
    + `<input type="hidden" name="RelayState" value="${query.RelayState}"><button>Go on</button></form>`;
}

server.on('request', async (req, res) => {
  try {
    const url = new URL(req.url, issuer);
    const query = Object.fromEntries(url.searchParams);
    if (url.pathname === '/metadata') {
      res.setHeader('content-type', 'application/samlmetadata+xml');
      res.end(provider().getMetadata());
    } else if (url.pathname === '/sp') {
      ours = await text(req);
      res.end();
    } else if (url.pathname === '/mode') {
      mode = JSON.parse(await text(req));
      res.end('{}');
    } else if (url.pathname === '/sso') {
      const octets = url.search.slice(1).replace(/&Signature=.*$/, '');
      res.setHeader('content-type', 'text/html');
      res.end(await answered(query, octets));
    } else if (url.pathname === '/logout') { // begins a logout of `user` here, by redirect
      const user = asked.users[query.user];
      const made = provider().createLogoutRequest(service(), 'redirect', { logoutNameID: user.subject, sessionIndex: user.session }, 'over-there');
      res.statusCode = 302;
      res.setHeader('location', made.context);
      res.end();
    } else if (url.pathname === '/ended') {
      res.end(JSON.stringify(ended));
    } else if (url.pathname === '/slo' && req.method === 'POST') {
      const body = Object.fromEntries(new URLSearchParams(await text(req)));
      res.setHeader('content-type', 'text/html');
      res.end(await leaving('post', { body }, body.RelayState));
    } else if (url.pathname === '/slo' && query.SAMLRequest) {
      const octetString = url.search.slice(1).replace(/&Signature=.*$/, '');
      res.statusCode = 302;
      res.setHeader('location', await leaving('redirect', { query, octetString }, query.RelayState));
      res.end();
    } else if (url.pathname === '/slo') {
      const octets = url.search.slice(1).replace(/&Signature=.*$/, '');
      const parsed = await provider().parseLogoutResponse(service(), 'redirect', { query, octetString: octets });
      res.end(JSON.stringify(parsed.extract));
    } else { res.statusCode = 404; res.end(); }
  } catch (problem) {
    res.statusCode = 500;
    res.end(String(problem && (problem.stack || problem.message || problem)));
  }
});
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
