/** CPU that one side takes in one round, about: short, so that both sides of a ratio see the same machine. */
const ROUND_US = 15_000
const ROUNDS = 40
/** Until the compilers have done with all sides: their threads' CPU would count too. */
const WARM_UP_ROUNDS = 25

/** One side of a comparison: `cycle` handles `datapoints`; what `after` does is not measured. */
export interface Side {
  cycle(): void
  after?(): void
  datapoints: number
}

/** CPU µs, user and system, all threads of this process: collecting garbage counts for whoever made it. */
function cpuOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** CPU ns a datapoint. */
function round({ cycle, after, datapoints }: Side): number {
  let [us, cycles] = [0, 0]
  for (; us < ROUND_US; cycles += 1) {
    us += cpuOf(cycle)
    after?.()
  }
  return (us * 1000) / (cycles * datapoints)
}

/** CPU ns a datapoint of each side in each round, the sides by turns. */
export function cpuRounds(sides: Side[]): number[][] {
  const rounds = Array.from({ length: WARM_UP_ROUNDS + ROUNDS }, () => sides.map(round))
  return rounds.slice(WARM_UP_ROUNDS)
}
