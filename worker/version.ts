/** Of the service; `npm run deploy` waits until the deployed Worker answers with it. */
export const VERSION = '0.1.0'
