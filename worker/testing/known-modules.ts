/*
 * A setup file of the tests in the Workers runtime. @cloudflare/vitest-pool-workers 0.23 imports the Worker's module
 * anew for each request, call of an object, alarm and message of a queue, and every time Vitest, in another process, is
 * asked where it is. That is slow; and when a file ends while an alarm's or a message's question is under way, Vitest
 * counts it as an error ('Closing rpc while "resolve" was pending'). Here a module that has been imported is known.
 */
const { moduleRunner } = Reflect.get(globalThis, '__vitest_mocker__')
const load = moduleRunner.import.bind(moduleRunner)
const known = new Map<string, unknown>()

moduleRunner.import = async (specifier: string) => {
  if (!known.has(specifier)) known.set(specifier, await load(specifier))
  return known.get(specifier)
}
