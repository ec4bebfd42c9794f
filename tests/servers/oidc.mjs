// SPDX-License-Identifier: Apache-2.0
// An OpenID provider that rotates refresh tokens and kills the grant of one that is used twice; nobody is asked anything.
//
//   node oidc.mjs PORT LIFETIME_S   of access tokens
//
// GET /test/log                     what the token endpoint was asked and answered
// POST /test/next?status=503&times=2[&hang=1][&after=1]   how it answers next: with a status, or never; after: only when the
//                                   request was carried out
// GET /test/api                     for who shows a token: {"items": [{"who": …, "scope": …}]}
// GET /test/quote                   says which token was shown, and refuses it
// POST /test/forget?token=TOKEN     an access token is no good any more; its grant is
import { pathToFileURL } from 'node:url';
const { Provider } = await import(pathToFileURL(`${process.env.TENON_NODE_MODULES}/oidc-provider/lib/index.js`));

const [port, lifetime] = process.argv.slice(2).map(Number);
const log = [];
let next = { times: 0 };

const client = (id, auth, more) => ({ client_id: id, client_secret: 'secret-oauth', redirect_uris: ['http://127.0.0.1:8069/cb'],
  response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: auth, ...more });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client('conn', 'client_secret_post'), client('conn-basic', 'client_secret_basic', { application_type: 'native', redirect_uris: ['http://127.0.0.1:8069/cb', 'http://127.0.0.1/'] }),
    client('desktop', 'none', { client_secret: undefined, application_type: 'native', redirect_uris: ['http://127.0.0.1/'] }),
    client('machine', 'client_secret_basic', { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] })],
  findAccount: (c, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@x.test` }) }),
  claims: { email: ['email'] }, scopes: ['openid', 'offline_access', 'email', 'api'],
  pkce: { required: () => false }, rotateRefreshToken: true,
  issueRefreshToken: async (c, it) => it.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: lifetime, ClientCredentials: lifetime, AuthorizationCode: 60, RefreshToken: 3600, Grant: 3600, Session: 3600,
    Interaction: 600, IdToken: 3600 },
  features: { devInteractions: { enabled: false }, revocation: { enabled: true }, introspection: { enabled: true },
    clientCredentials: { enabled: true } },
  interactions: { url: (c, i) => `/auto/${i.uid}` }, cookies: { keys: ['k'] },
});

const spoil = (ctx) => {
  if (next.hang) { ctx.respond = false; return; }
  ctx.status = next.status;
  ctx.type = 'text/html';
  ctx.body = '<html>not now</html>';
};

provider.use(async (ctx, go) => {
  if (ctx.path === '/test/log') { ctx.body = log; return; }
  if (ctx.path === '/test/next') {
    next = { status: Number(ctx.query.status || 503), times: Number(ctx.query.times), hang: !!ctx.query.hang, after: !!ctx.query.after };
    ctx.body = next;
    return;
  }
  if (ctx.path === '/test/api') {
    const bearer = (ctx.get('authorization').match(/^Bearer (.+)$/) || [])[1];
    const token = bearer && (await provider.AccessToken.find(bearer) || await provider.ClientCredentials.find(bearer));
    ctx.status = token ? 200 : 401;
    ctx.body = token ? { items: [{ who: token.accountId || token.clientId, scope: token.scope }] } : { message: 'no token, or one that is over' };
    return;
  }
  if (ctx.path === '/test/quote') {
    const shown = ctx.get('authorization');
    ctx.status = 403;
    ctx.body = { message: `may not: ${shown} (${Buffer.from(shown.slice(7)).toString('base64')})` };
    return;
  }
  if (ctx.path === '/test/forget') {
    for (const kind of [provider.AccessToken, provider.ClientCredentials]) await (await kind.find(ctx.query.token))?.destroy();
    ctx.body = {};
    return;
  }
  if (ctx.path !== '/token') { await go(); return; }
  const entry = { at: Date.now(), status: 0, spoilt: next.times > 0 };
  log.push(entry);
  if (next.times > 0 && !next.after) { next.times--; spoil(ctx); entry.status = ctx.respond === false ? 0 : ctx.status; return; }
  await go();
  entry.status = ctx.status;
  entry.grant = ctx.oidc?.params?.grant_type;
  entry.error = ctx.body?.error;
  if (next.times > 0) { next.times--; spoil(ctx); }
});

provider.use(async (ctx, go) => {
  if (!ctx.path.startsWith('/auto/')) { await go(); return; }
  const details = await provider.interactionDetails(ctx.req, ctx.res);
  if (details.params.login_hint === 'deny') {
    await provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied', error_description: 'refused' }, { mergeWithLastSubmission: false });
  } else {
    const grant = new provider.Grant({ accountId: 'user1', clientId: details.params.client_id });
    grant.addOIDCScope(details.params.scope);
    await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'user1' }, consent: { grantId: await grant.save() } },
      { mergeWithLastSubmission: true });
  }
  ctx.respond = false;
});

provider.listen(port, '127.0.0.1', () => console.log('ready'));
