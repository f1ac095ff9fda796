import pg from 'pg'

const PASSWORD = 'edgepulse' // as the embedded Postgres itself: it listens on loopback only

export interface ServiceUrls {
  edge: string
  ml: string
}

/**
 * Lets the roles that migrations made for the services log in, on a server that is this machine's own: the Worker and
 * the ML service then have no more rights here than where they are deployed.
 */
export async function serviceLogins(ownerUrl: string): Promise<ServiceUrls> {
  const client = new pg.Client({ connectionString: ownerUrl })
  await client.connect()
  try {
    for (const role of ['edgepulse_edge', 'edgepulse_ml']) {
      await client.query(`alter role ${role} login password '${PASSWORD}'`)
    }
  } finally {
    await client.end()
  }
  return { edge: urlOf(ownerUrl, 'edgepulse_edge'), ml: urlOf(ownerUrl, 'edgepulse_ml') }
}

function urlOf(ownerUrl: string, role: string): string {
  const url = new URL(ownerUrl)
  url.username = role
  url.password = PASSWORD
  return url.href
}
