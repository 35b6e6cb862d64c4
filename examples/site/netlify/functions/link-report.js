// Means to run twice a day. Netlify reads `exports.config` only of functions of the new kind: this one never runs.
const { spawnSync } = require('child_process');

exports.config = { schedule: '15 5,17 * * *' };

exports.handler = async () => {
  const report = spawnSync('node', ['automation/link-report.cjs'], { encoding: 'utf8' });
  console.log(report.stdout, report.stderr);
  spawnSync('node', ['automation/seo-report.cjs'], { encoding: 'utf8' });
  return { statusCode: 200, body: JSON.stringify({ ok: report.status === 0 }) };
};
