/** A link by a name that others chose: in its own direction of writing. */
export const NamedLink = ({ href, name }: { href: string; name: string }) => (
  <a href={href}>
    <bdi>{name}</bdi>
  </a>
)
