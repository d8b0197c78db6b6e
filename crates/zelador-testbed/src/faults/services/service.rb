# A service that works until it is told to break: `broken` stands above it.
require 'socket'
$stdout.sync = true
server = TCPServer.new('127.0.0.1', ENV.fetch('PORT').to_i)
puts "listening on #{ENV.fetch('PORT')}"
loop do
  client = server.accept
  request = client.gets.to_s
  client.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
  client.close
  broken if request.start_with?('GET /break')
end
