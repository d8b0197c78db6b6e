module.exports = {
  apps: [
    { name: 'bot', script: 'bot.py' },
    { name: 'pinned', script: 'main.py', interpreter: 'python3.11', interpreter_args: '-u -O' },
    { name: 'venv', script: './manage.py', args: 'runserver 0.0.0.0:8000', interpreter: './venv/bin/python' },
  ],
};
