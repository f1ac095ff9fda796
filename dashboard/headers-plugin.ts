import type { Plugin } from 'vite'

/**
 * Writes `_headers`, from which Cloudflare's static assets take their response headers. The page loads from
 * its own origin alone; only the API may be elsewhere.
 */
export function headersPlugin(apiBaseUrl: string | undefined): Plugin {
  return {
    name: 'edgepulse-headers',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: '_headers', source: headersFile(apiBaseUrl) })
    },
  }
}

export function headersFile(apiBaseUrl: string | undefined): string {
  const connect = apiBaseUrl ? `'self' ${new URL(apiBaseUrl).origin}` : `'self'`
  const policy = [
    "default-src 'self'",
    `connect-src ${connect}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  return [
    '/*',
    `  Content-Security-Policy: ${policy}`,
    '  X-Content-Type-Options: nosniff',
    '  Referrer-Policy: no-referrer',
    // Their names carry a hash of what is in them.
    '/assets/*',
    '  Cache-Control: public, max-age=31536000, immutable',
    '',
  ].join('\n')
}
