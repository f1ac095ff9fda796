/** A score of this or more is anomalous, on every metric: the API's promise. */
export const SCORE_THRESHOLD = 1
