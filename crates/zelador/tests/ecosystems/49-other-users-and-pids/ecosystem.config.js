module.exports = {
  apps: [{
    name: 'www',
    script: 'www.js',
    uid: 'www-data',
    gid: 33,
    pid_file: './run/www.pid',
    shutdown_with_message: true,
    force: true,
    post_update: ['npm install'],
  }],
};
