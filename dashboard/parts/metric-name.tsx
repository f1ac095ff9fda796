/** `device / metric`, each in its own direction of writing. */
export const MetricName = ({ device, name }: { device: string; name: string }) => (
  <>
    <bdi>{device}</bdi> / <bdi>{name}</bdi>
  </>
)
