/** Of a field as it is typed; NaN for what is no number. */
export const numberOf = (text: string) => (text.trim() === '' ? Number.NaN : Number(text))
