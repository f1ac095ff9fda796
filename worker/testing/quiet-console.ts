import { inject } from 'vitest'

/*
 * A setup file of the tests in the Workers runtime, where @cloudflare/vitest-pool-workers 0.23 sends what an object
 * logs along with the next message of the tests' own, and Vitest ends a file when every line has been answered. So a line
 * logged when the last test is over, by an alarm say, keeps the file from ever ending. The JSON logs of what is under
 * test are not sent at all, unless LOGS=1 asks for them.
 */
const METHODS = ['debug', 'log', 'info', 'warn', 'error'] as const

if (!inject('showLogs')) {
  for (const method of METHODS) {
    const print = console[method].bind(console)
    console[method] = (...args: unknown[]) => {
      if (typeof args[0] !== 'string' || !args[0].startsWith('{')) print(...args)
    }
  }
}
