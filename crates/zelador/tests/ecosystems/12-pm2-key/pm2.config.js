module.exports = { pm2: [{ name: 'legacy', script: 'legacy.js', error: 'err.log', out: 'out.log' }] };
