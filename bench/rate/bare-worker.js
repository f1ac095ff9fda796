// What `POST /v1/ingest` is measured against: parses the body, puts it to R2, sends one queue message.
export default {
  async fetch(request, env) {
    const body = await request.arrayBuffer()
    const { batch_id } = JSON.parse(new TextDecoder().decode(body))
    const r2_key = `raw/bare/${batch_id}`
    await env.ARCHIVE.put(r2_key, body)
    await env.BATCHES.send({ batch_id, r2_key })
    return Response.json({ batch_id }, { status: 202 })
  },
}
