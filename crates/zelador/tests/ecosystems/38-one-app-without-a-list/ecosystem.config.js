module.exports = { name: 'alone', script: './alone.js', args: '--once' };
