// The boats of the club, all or of one kind: /boats.json?kind=eight
const fs = require('fs');
const path = require('path');

const file = path.join(__dirname, '../../automation/boats.json');

exports.handler = async (event) => {
  const kind = event.queryStringParameters && event.queryStringParameters.kind;
  const boats = JSON.parse(fs.readFileSync(file, 'utf8')).filter((b) => !kind || b.kind === kind);
  if (kind && boats.length === 0) {
    return { statusCode: 404, body: JSON.stringify({ message: `there is no boat of the kind ${kind}` }) };
  }
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(boats) };
};
