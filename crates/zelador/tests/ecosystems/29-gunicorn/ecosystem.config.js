module.exports = {
  apps: [{
    name: 'flask',
    script: '/srv/flask/venv/bin/gunicorn',
    args: '--workers=4 --bind unix:/run/flask.sock --access-logfile - wsgi:app',
    interpreter: '/srv/flask/venv/bin/python',
    cwd: '/srv/flask',
    kill_signal: 'SIGTERM',
  }],
};
