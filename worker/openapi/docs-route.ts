import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import * as v from 'valibot'
import type { AppEnv } from '../app-env.ts'
import { describedBy, specOf } from './description.ts'

/**
 * Everything comes from our own origin. Scalar sets styles from its script, some of them where no nonce reaches;
 * scripts stay strict.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** No fonts, telemetry or assistants of others'; a key that is typed in is forgotten with the page. */
const CONFIGURATION = {
  url: '/v1/openapi.json',
  authentication: { preferredSecurityScheme: 'apiKey' },
  withDefaultFonts: false,
  telemetry: false,
  persistAuth: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
}

const page = () => html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>EdgePulse API</title>
    <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
  </head>
  <body>
    <noscript>This page needs JavaScript; the document itself is at /v1/openapi.json.</noscript>
    <div id="api-reference" data-configuration="${JSON.stringify(CONFIGURATION)}"></div>
    <script src="/reference/scalar.js"></script>
  </body>
</html>`

const getDocs = describedBy(
  () =>
    specOf({
      operationId: 'getDocs',
      tag: 'Service',
      summary: 'The API reference, for people',
      answers: {
        200: {
          description: 'A page that shows this document.',
          schema: v.string(),
          contentType: 'text/html',
        },
      },
    }),
  (c: Context<AppEnv>) =>
    c.html(page(), 200, {
      'Content-Security-Policy': POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
    }),
)

/** `GET /v1/docs`. Its script is among the dashboard's assets. */
export const docsRoute = new Hono<AppEnv>().get('/', getDocs)
