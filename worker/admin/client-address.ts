import type { Context } from 'hono'

/** Cloudflare sets the header and lets no client set it; the local runtime has none. */
export const clientAddress = (c: Context) => c.req.header('cf-connecting-ip')
