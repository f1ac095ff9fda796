import { log } from './log.ts'

const LOG_EVERY = 1000

/** How far a long command is: one line that rewrites itself on a terminal, a log line now and then elsewhere. */
export interface Progress {
  step(): void
  end(): void
}

/** `total` is undefined where nobody can know it. */
export function progress(
  verb: string,
  total?: number,
  { unit = 'metrics', stream = process.stderr } = {},
): Progress {
  let done = 0
  const of = total === undefined ? '' : ` of ${total}`
  const show = () => stream.write(`\r${verb} ${done}${of} ${unit}`)
  return {
    step: () => {
      done += 1
      if (stream.isTTY) show()
      else if (done % LOG_EVERY === 0)
        log('info', 'progress', { work: verb, unit, done, ...(total === undefined ? {} : { total }) })
    },
    end: () => {
      if (stream.isTTY && done > 0) stream.write('\n')
    },
  }
}
