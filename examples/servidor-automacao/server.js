// A small server that can be broken on purpose. Only Node's own modules.
'use strict';
const http = require('http');

const port = Number(process.env.PORT || 3000);
const kept = [];
let hung = false;

const routes = {
  '/': () => 'servidor-automacao: /health /crash /hang /leak /busy\n',
  '/health': () => 'ok\n',
  // Dies of an exception that nobody catches: the restart policy brings it back.
  '/crash': () => {
    setImmediate(() => {
      throw new Error('crashed on purpose');
    });
    return 'crashing\n';
  },
  // Lives on and answers nobody any more: only a health check notices.
  '/hang': () => {
    hung = true;
    return 'hanging from now on\n';
  },
  // 100 MB more at each call: above max_memory_restart it is restarted gracefully.
  '/leak': () => {
    kept.push(Buffer.alloc(100 * 1024 * 1024, 1));
    return `holding ${kept.length * 100} MB\n`;
  },
  // Computes for 20 s without a pause: the process is there, its event loop is not.
  '/busy': () => {
    setImmediate(() => {
      const until = Date.now() + 20000;
      while (Date.now() < until);
    });
    return 'busy for 20 s\n';
  },
};

const server = http.createServer((request, response) => {
  const answer = routes[request.url];
  if (hung) return; // the connection stays open, and nothing comes
  if (request.url !== '/health') console.log(`${request.method} ${request.url}`);
  response.statusCode = answer ? 200 : 404;
  response.end(answer ? answer() : 'not found\n');
});

server.listen(port, '127.0.0.1', () => console.log(`listening on ${port}, pid ${process.pid}`));

process.on('SIGINT', () => {
  console.log('asked to end');
  server.close();
  server.closeAllConnections();
  process.exit(0);
});
