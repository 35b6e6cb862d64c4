// What reminders of the club have in common: an id, and options as people type
// them. `once` is in no package.json: a fault on purpose, for dependency-check.
import minimist from 'minimist'
import once from 'once'
import uuid from 'uuid'

/** Reads `--boat Heron --at 18:00`. */
export const options = (words) => minimist(words, {string: ['boat', 'at']})

/** The id of the reminders that this process sends. */
export const id = once(() => uuid.v4())
