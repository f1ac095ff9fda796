import { expect, it } from 'vitest'
import { headersFile } from './headers-plugin.ts'

it('headersFile() lets the page reach its own origin only', () => {
  expect(headersFile(undefined)).toContain("connect-src 'self';")
  expect(headersFile('')).toContain("connect-src 'self';")
})

it("headersFile() adds the API's origin when it is elsewhere", () => {
  expect(headersFile('https://api.example/base/')).toContain("connect-src 'self' https://api.example;")
})
