<?php
// A service that works until it is told to break: `broken` stands below it.
$server = stream_socket_server('tcp://127.0.0.1:' . getenv('PORT'), $code, $why) or exit("$why\n");
echo 'listening on ', getenv('PORT'), "\n";
for (;;) {
    $client = @stream_socket_accept($server, 3600);
    if (!$client) continue;
    $request = fgets($client);
    fwrite($client, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
    fclose($client);
    if (str_starts_with((string) $request, 'GET /break')) broken();
}
