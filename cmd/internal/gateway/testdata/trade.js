// Trades through a proxy with the SDK of the npm registry, and prints what it was told: a line of JSON for each order.
'use strict'

const { Spot } = require(process.env.SDK)
const client = new Spot(process.env.KEY, process.env.SECRET, { baseURL: process.env.BASE })

async function main () {
  await client.time()
  for (let i = 0; i < Number(process.env.ORDERS); i++) {
    const id = `node-${i}`
    const said = { id }
    try {
      const answer = await client.newOrder('BTCUSDT', 'BUY', 'LIMIT', { price: '1000', quantity: '0.01', timeInForce: 'GTC', newClientOrderId: id })
      said.placed = answer.data.clientOrderId
    } catch (e) {
      said.status = e.response && e.response.status
      said.problem = e.response && e.response.data
    }
    // What is unknown is asked for, as the answer says.
    if (said.problem && said.problem.outcome === 'unknown') {
      try {
        const found = await client.getOrder('BTCUSDT', { [said.problem.verify.field]: said.problem.verify.client_order_id })
        said.found = found.data.clientOrderId
      } catch (e) {
        said.missing = e.response && e.response.data.code
      }
    }
    console.log(JSON.stringify(said))
  }
}

main().catch(e => { console.error(e.message); process.exit(1) })
