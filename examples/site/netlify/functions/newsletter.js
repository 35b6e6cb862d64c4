// Every Monday: has a script write the newsletter.
const { execFileSync } = require('child_process');
const { schedule } = require('@netlify/functions');

exports.handler = schedule('0 7 * * 1', async () => {
  if (!process.env.NEWSLETTER_KEY) {
    return { statusCode: 503, body: JSON.stringify({ message: 'NEWSLETTER_KEY is not set' }) };
  }
  const text = execFileSync('node', ['automation/newsletter.js'], { encoding: 'utf8' });
  return { statusCode: 200, body: JSON.stringify({ ok: true, bytes: text.length }) };
});
