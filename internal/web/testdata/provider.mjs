// A provider of OpenID Connect for the tests: oidc-provider, which is certified by the OpenID Foundation. It is told what to be by lines of
// JSON, and says "ready" and its issuer when it is.
import { createServer } from 'node:http'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'

const { Provider } = await import(`file://${process.argv[2]}/node_modules/oidc-provider/lib/index.js`)
const clock = Date.now
let skew = 0
Date.now = () => clock() + skew

let answer
const server = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { back, kid, secret, skew: seconds, lasts, account, thick } = JSON.parse(line)
    skew = seconds * 1000
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const client = { redirect_uris: [back], response_types: ['code'], grant_types: ['authorization_code'] }
    const provider = new Provider(issuer, {
      clients: [
        { ...client, client_id: 'public', token_endpoint_auth_method: 'none' },
        { ...client, client_id: 'confidential', client_secret: secret },
      ],
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username', 'name'] },
      conformIdTokenClaims: !thick,
      findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...account }) }),
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
      cookies: { keys: [randomBytes(16).toString('hex')] },
      ttl: { IdToken: lasts },
      pkce: { required: () => true, methods: ['S256'] },
    })
    answer = provider.callback()
    console.log('ready', issuer)
  })
})
