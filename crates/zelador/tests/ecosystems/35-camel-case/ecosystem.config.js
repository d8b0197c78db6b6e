module.exports = {
  apps: [{
    name: 'camel',
    script: 'x.js',
    maxRestarts: 3,
    maxMemoryRestart: '100M',
    restartDelay: 1000,
    execMode: 'fork',
    interpreterArgs: '--inspect',
    cronRestart: '*/5 * * * *',
    killTimeout: 2500,
    logDateFormat: 'HH:mm:ss',
  }],
};
