// In the place of a validator that hono-openapi would take besides valibot; wrangler.toml tells why.
export {}
