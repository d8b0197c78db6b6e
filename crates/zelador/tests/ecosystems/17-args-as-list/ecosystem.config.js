module.exports = {
  apps: [{ name: 'args', script: 'cli.js', args: ['serve', '--port', 3000, '--title', 'Two words', true] }],
};
