package tlsdebug.lab;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/** What a server does with a connection once it is accepted. */
interface Answer {
    void give(Socket socket, SSLSocketFactory factory, Side.Server side) throws IOException;

    Answer TLS = (socket, factory, side) -> {
        SSLSocket tls = (SSLSocket) factory.createSocket(socket, null, false);
        tls.setUseClientMode(false);
        tls.setSSLParameters(side.applyTo(tls));
        tls.startHandshake();
        Http.readHead(tls.getInputStream());
        tls.getOutputStream().write(Http.response("200 OK", "ok"));
        tls.close();
    };

    Answer SILENT_CLOSE = (socket, factory, side) -> readRecord(socket.getInputStream());

    Answer PLAIN_HTTP = (socket, factory, side) -> {
        readRecord(socket.getInputStream());
        socket.getOutputStream().write(Http.response("400 Bad Request", "plain HTTP is spoken here"));
    };

    /** Reads one whole TLS record, the ClientHello: closing with unread data would reset the connection. */
    static void readRecord(InputStream in) throws IOException {
        DataInputStream data = new DataInputStream(in);
        byte[] header = new byte[5];
        data.readFully(header);
        data.readFully(new byte[(header[3] & 0xff) << 8 | header[4] & 0xff]);
    }

    /** The little HTTP that client and server speak inside TLS. */
    final class Http {
        private Http() {}

        static byte[] request(String host) {
            String head = "GET /health HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
            return head.getBytes(StandardCharsets.US_ASCII);
        }

        static byte[] response(String status, String body) {
            String head = "HTTP/1.1 " + status + "\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "
                    + body.length() + "\r\n\r\n";
            return (head + body).getBytes(StandardCharsets.US_ASCII);
        }

        /** Reads up to the empty line and returns the first line; whatever follows is left unread. */
        static String readHead(InputStream in) throws IOException {
            StringBuilder head = new StringBuilder();
            int next;
            while (head.indexOf("\r\n\r\n") < 0 && head.length() < 8192 && (next = in.read()) >= 0) {
                head.append((char) next);
            }
            int end = head.indexOf("\r\n");
            return end < 0 ? head.toString() : head.substring(0, end);
        }
    }
}
