// A service that works until it is told to break.
const http = require('http');
const state = { broken: false };
http.createServer((request, response) => {
  if (request.url === '/break') {
    response.end('as you like\n');
    state.broken = true;
    return setImmediate(broken);
  }
  if (typeof health === 'function') return health(request, response, state);
  response.end('ok\n');
}).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening on', process.env.PORT));
