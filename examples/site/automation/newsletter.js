// Writes the newsletter to standard output: the boats of the club, newest inspection first.
'use strict';
const fs = require('fs');
const path = require('path');

const boats = JSON.parse(fs.readFileSync(path.join(__dirname, 'boats.json'), 'utf8'));
boats.sort((a, b) => b.inspected.localeCompare(a.inspected));
process.stdout.write('Harbour Rowing Club\n\n' + boats.map((b) => `- ${b.name}, inspected on ${b.inspected}\n`).join(''));
