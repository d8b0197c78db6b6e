// A shop whose carts are in Redis at CACHE (`port:password`).
const http = require('http');
const net = require('net');
const [port, password] = process.env.CACHE.split(':');

function ask(done) {
  const socket = net.connect(Number(port), '127.0.0.1', () => socket.write(`AUTH ${password}\r\nPING\r\nQUIT\r\n`));
  let answer = '';
  socket.setTimeout(400, () => socket.destroy(new Error(`redis 127.0.0.1:${port}: no answer within 400 ms (ETIMEDOUT)`)));
  socket.on('data', (bytes) => { answer += bytes; });
  socket.once('error', done);
  socket.once('end', () => {
    const said = answer.split('\r\n').find((line) => line.startsWith('-'));
    done(said && new Error(`redis: ${said.slice(1)}`));
  });
}

http.createServer((request, response) => ask((error) => {
  if (error) console.error(error);
  response.writeHead(error ? 500 : 200).end('shop\n');
})).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening on', process.env.PORT));
