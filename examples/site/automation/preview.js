// Serves what was built, for a look before it is published.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

const dist = path.join(__dirname, '../dist');
const port = Number(process.env.PORT) || 8088;

const server = http.createServer((request, response) => {
  let wanted = '/404.html';
  try {
    wanted = path.normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
  } catch { /* an address that is none */ }
  const file = path.join(dist, wanted.endsWith('/') ? wanted + 'index.html' : wanted);
  fs.readFile(file, (error, body) => {
    response.statusCode = error || !file.startsWith(dist + path.sep) ? 404 : 200;
    response.end(response.statusCode === 200 ? body : 'not found');
  });
});
server.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
