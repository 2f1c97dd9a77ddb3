package tlsdebug.lab;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;

/** What client and server have to do alike. */
final class Connection {
    static final int TIMEOUT_MILLIS = 10_000;
    private static final int LINGER_MILLIS = 1_000;

    private Connection() {}

    /**
     * Ends a connection so that what was sent last arrives: a socket closed with unread data is reset, and then the
     * peer may never see the alert.
     */
    static void end(Socket socket) {
        try {
            socket.shutdownOutput();
            socket.setSoTimeout(LINGER_MILLIS);
            InputStream in = socket.getInputStream();
            byte[] rest = new byte[4096];
            while (in.read(rest) >= 0) {
                // Only the end matters.
            }
        } catch (IOException e) {
            // The peer is gone or silent: nothing left to wait for.
        }
    }
}
