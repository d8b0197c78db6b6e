// A service that works until it is told to break: its class `Broken` stands beside it.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

public class Service {
  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(System.getenv("PORT"));
    try (ServerSocket server = new ServerSocket(port, 16, InetAddress.getLoopbackAddress())) {
      System.out.println("listening on " + port);
      for (;;) {
        String request;
        try (Socket client = server.accept()) {
          request = new BufferedReader(new InputStreamReader(client.getInputStream())).readLine();
          client.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n".getBytes());
        }
        if (request != null && request.startsWith("GET /break")) Broken.broken();
      }
    }
  }
}
