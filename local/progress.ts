/** Prints a line a step, with the seconds since the start. */
export interface Progress {
  step(line: string): void
}

export function startProgress(): Progress {
  const begun = performance.now()
  return {
    step: (line) => {
      const seconds = ((performance.now() - begun) / 1000).toFixed(1)
      console.log(`${seconds.padStart(6)} s  ${line}`)
    },
  }
}
