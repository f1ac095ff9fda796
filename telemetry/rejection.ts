/** Why one datapoint of an accepted batch was not stored. The order is part of the stored form: append only. */
export const REJECTION_CODES = [
  'timestamp_in_future',
  'timestamp_too_old',
  'null_value',
  'duplicate_timestamp',
  'series_limit',
  'not_numeric',
  'invalid_name',
  'malformed',
] as const
export type RejectionCode = (typeof REJECTION_CODES)[number]

export interface Rejection {
  /** Position of the datapoint in the body. */
  ordinal: number
  code: RejectionCode
}

const CODE_BITS = 4

/** Rejections in body order, four bytes each. */
export function packRejections(rejections: Rejection[]): Uint32Array<ArrayBuffer> {
  const packed = Uint32Array.from(rejections, ({ ordinal, code }) => {
    return (ordinal << CODE_BITS) | REJECTION_CODES.indexOf(code)
  })
  return packed.sort()
}

export function unpackRejections(packed: Uint32Array): Rejection[] {
  return Array.from(packed, (entry) => {
    const code = REJECTION_CODES[entry & ((1 << CODE_BITS) - 1)]
    if (code === undefined) throw new RangeError('Cannot read a rejection: its code is unknown.')
    return { ordinal: entry >>> CODE_BITS, code }
  })
}

export const isRejectionCode = (code: string): code is RejectionCode =>
  REJECTION_CODES.some((known) => known === code)
