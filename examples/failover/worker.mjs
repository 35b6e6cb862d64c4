// A long-running process that says who runs it: worker.mjs WHO.
const who = process.argv[2] ?? 'PM2'
console.log(`the worker runs, by ${who}`)
setInterval(() => {}, 60_000)
