// Every night, for up to fifteen minutes: adds up what the sponsors gave.
const { readFile } = require('fs/promises');

exports.handler = async () => {
  const boats = JSON.parse(await readFile('automation/boats.json', 'utf8'));
  const sums = {};
  for (const b of boats) sums[b.sponsor || 'nobody'] = (sums[b.sponsor || 'nobody'] || 0) + 1;
  for (const [who, n] of Object.entries(sums)) console.log(`${who}: ${n}`);
};
