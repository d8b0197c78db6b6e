module.exports = {
  apps: [{
    name: 'queue',
    script: 'artisan',
    interpreter: 'php',
    args: ['queue:work', '--tries=3', '--sleep=3'],
    instances: 4,
    cwd: '/var/www/laravel',
  }],
};
