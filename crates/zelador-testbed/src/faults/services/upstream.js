// A shop that needs another service: where that is stands in upstream.json.
const http = require('http');
const fs = require('fs');

function ask(done) {
  const { url, ca } = JSON.parse(fs.readFileSync('upstream.json', 'utf8'));
  const options = ca ? { ca: fs.readFileSync(ca), servername: 'localhost' } : {};
  const request = require(url.startsWith('https') ? 'https' : 'http').get(url, options, (answer) => {
    answer.resume();
    if (answer.statusCode === 200) return done();
    const after = answer.headers['retry-after'];
    done(new Error(`upstream ${url} answered HTTP ${answer.statusCode} ${http.STATUS_CODES[answer.statusCode]}` +
      (after ? `, retry-after: ${after}` : '')));
  });
  request.setTimeout(400, () => request.destroy(new Error(`upstream ${url}: no answer within 400 ms (ETIMEDOUT)`)));
  request.once('error', done);
}

http.createServer((request, response) => ask((error) => {
  if (error) console.error(error);
  response.writeHead(error ? 503 : 200).end('shop\n');
})).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening on', process.env.PORT));
