// A shop that finds its database by name, at the name server in DNS.
const http = require('http');
const { Resolver } = require('dns').promises;
const resolver = new Resolver({ timeout: 300, tries: 1 });
resolver.setServers([process.env.DNS]);

http.createServer(async (request, response) => {
  try {
    await resolver.resolve4('db.shop.internal');
    response.end('shop\n');
  } catch (error) {
    console.error(error);
    response.writeHead(503).end('shop\n');
  }
}).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening on', process.env.PORT));
