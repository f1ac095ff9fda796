/** Where the API is: VITE_API_BASE_URL at build time, else the page's own origin. Without a trailing slash. */
export const apiBaseUrl: string = (import.meta.env['VITE_API_BASE_URL'] || location.origin).replace(
  /\/+$/,
  '',
)
