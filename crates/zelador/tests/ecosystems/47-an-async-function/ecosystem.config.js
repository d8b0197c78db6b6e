module.exports = async () => ({ apps: [{ name: 'late', script: 'late.js' }] });
