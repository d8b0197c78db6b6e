/* A service that works until it is told to break: `broken` is linked to it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void broken(void);

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_port = htons((unsigned short)atoi(getenv("PORT")));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
    perror("bind");
    return 1;
  }
  printf("listening on %s\n", getenv("PORT"));
  fflush(stdout);
  for (;;) {
    char request[1024] = {0};
    int client = accept(listener, NULL, NULL);
    const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    if (read(client, request, sizeof request - 1) < 0) perror("read");
    if (write(client, answer, strlen(answer)) < 0) perror("write");
    close(client);
    if (strncmp(request, "GET /break", 10) == 0) broken();
  }
}
