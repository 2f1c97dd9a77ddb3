package tlsdebug.lab;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import javax.net.ssl.SSLSocketFactory;

/** The role of a partner's system: answers every connection as its fault says. */
final class Server implements Runnable {
    private final ServerSocket listener;
    private final Side.Server side;
    private final SSLSocketFactory factory;

    Server(int port, Side.Server side, SSLSocketFactory factory) throws IOException {
        this.side = side;
        this.factory = factory;
        listener = new ServerSocket();
        listener.setReuseAddress(true);
        listener.bind(new InetSocketAddress(port));
    }

    int port() {
        return listener.getLocalPort();
    }

    @Override
    public void run() {
        ServerLog.write("ISS.0070.0001I", "HTTPS listener started on port " + port());
        for (int number = 1; ; number++) {
            try {
                Socket socket = listener.accept();
                Main.daemon("HTTPS Handler-" + number, () -> answer(socket)).start();
            } catch (IOException e) {
                ServerLog.write("ISS.0070.0002E", "Exception --> " + e);
            }
        }
    }

    private void answer(Socket accepted) {
        try (Socket socket = accepted) {
            socket.setSoTimeout(Connection.TIMEOUT_MILLIS);
            try {
                side.answer.give(socket, factory, side);
            } finally {
                Connection.end(socket);
            }
        } catch (IOException e) {
            ServerLog.write("ISS.0070.0003E", "Exception --> " + e);
        }
    }
}
