// A service that works until it is told to break: `broken` stands beside it.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening on", os.Getenv("PORT"))
	for {
		client, err := listener.Accept()
		if err != nil {
			continue
		}
		request, _ := bufio.NewReader(client).ReadString('\n')
		fmt.Fprint(client, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
		client.Close()
		if strings.HasPrefix(request, "GET /break") {
			broken()
		}
	}
}
