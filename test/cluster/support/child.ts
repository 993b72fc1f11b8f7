/** One node, until it is killed: says its name and its address. */
import { startApp } from './app.js'

const { cluster, url } = await startApp(Number(process.argv[2]))
process.send?.({ node: cluster.node, url })
