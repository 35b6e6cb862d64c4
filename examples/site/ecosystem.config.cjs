// What PM2 keeps running on the club's machine.
module.exports = {
  apps: [
    {
      name: 'auto-sync',
      script: 'automation/pm2-auto-sync.js',
      max_memory_restart: '200M',
      restart_delay: 5000,
      env: { AUTO_SYNC_REMOTE: 'origin', AUTO_SYNC_BRANCH: 'main', AUTO_SYNC_INTERVAL: '60' },
    },
    {
      name: 'link-report',
      script: 'automation/link-report.cjs',
      cron_restart: '30 4 * * *',
      autorestart: false,
    },
    {
      name: 'preview',
      script: 'automation/preview.js',
      instances: 2,
      exec_mode: 'cluster',
      env: { PORT: '8088' },
    },
  ],
};
