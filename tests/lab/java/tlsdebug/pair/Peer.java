package tlsdebug.pair;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLContext;

/** One end at work: what it needs to speak with the other. */
final class Peer {
    /** How an end behaves on one connection; a client opens its own. */
    interface Conduct {
        void run(Peer peer, Socket tcp) throws IOException, GeneralSecurityException;
    }

    /** Enough for a machine that is busy. */
    static final int PATIENCE_MILLIS = 20_000;

    /** One handshake, then a byte each way. */
    static final Conduct TALK = (peer, tcp) -> {
        try (Link link = peer.link(tcp)) {
            link.handshake();
            peer.exchange(link);
        }
    };

    /** Negotiates anew on the open connection, which the client asks for. */
    static final Conduct CLIENT_RENEGOTIATES = (peer, tcp) -> {
        try (Link link = peer.link(tcp)) {
            link.handshake();
            peer.exchange(link);
            if (peer.client) {
                link.handshake();
            }
            peer.exchangeUntilNegotiated(link);
        }
    };

    /** The server asks for another handshake, and for the client's certificate only then. */
    static final Conduct SERVER_RENEGOTIATES = (peer, tcp) -> {
        try (Link link = peer.link(tcp)) {
            link.handshake();
            peer.exchange(link);
            if (!peer.client) {
                link.requireClientCertificate();
                link.handshake();
            }
            peer.exchangeUntilNegotiated(link);
        }
    };

    static final Conduct PLAIN_REQUEST = (peer, tcp) -> {
        tcp.getOutputStream().write(
                "GET /health HTTP/1.1\r\nHost: bank.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        drain(tcp);
    };

    /** Connects and sends nothing. */
    static final Conduct SILENCE = (peer, tcp) -> drain(tcp, PATIENCE_MILLIS);

    static final Conduct HELLO_THEN_CLOSE = (peer, tcp) -> {
        new EngineLink(peer.end, peer.context(), tcp, true, false).sendHello();
        drain(tcp);
    };

    static final Conduct HELLO_THEN_RESET = (peer, tcp) -> {
        new EngineLink(peer.end, peer.context(), tcp, true, false).sendHello();
        // Let the server read it and answer first.
        tcp.getInputStream().read();
        tcp.setSoLinger(true, 0);
        tcp.close();
    };

    static final Conduct CLOSE_AFTER_HELLO = (peer, tcp) -> readRecord(tcp.getInputStream());

    static final Conduct RESET_AFTER_HELLO = (peer, tcp) -> {
        readRecord(tcp.getInputStream());
        tcp.setSoLinger(true, 0);
        tcp.close();
    };

    static final Conduct NO_ANSWER = (peer, tcp) -> {
        readRecord(tcp.getInputStream());
        drain(tcp, PATIENCE_MILLIS);
    };

    static Conduct answersPlain(String text) {
        return (peer, tcp) -> {
            readRecord(tcp.getInputStream());
            tcp.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
        };
    }

    static Conduct answersAlert(int level, int description) {
        return (peer, tcp) -> {
            readRecord(tcp.getInputStream());
            tcp.getOutputStream().write(new byte[] {21, 3, 3, 0, 2, (byte) level, (byte) description});
        };
    }

    final End end;
    final boolean client;
    private final Keys keys;
    private final String transport;
    /** Made anew for each connection, unless sessions are to be resumed. */
    private SSLContext shared;

    Peer(End end, boolean client, Keys keys, String transport) {
        this.end = end;
        this.client = client;
        this.keys = keys;
        this.transport = transport;
    }

    SSLContext context() throws GeneralSecurityException, IOException {
        return shared != null ? shared : end.context(keys);
    }

    void share() throws GeneralSecurityException, IOException {
        shared = end.context(keys);
    }

    Link link(Socket tcp) throws GeneralSecurityException, IOException {
        return transport.equals("socket")
                ? new SocketLink(end, context().getSocketFactory(), tcp, client)
                : engineLink(tcp);
    }

    EngineLink engineLink(Socket tcp) throws GeneralSecurityException, IOException {
        return new EngineLink(end, context(), tcp, client, transport.equals("tasks"));
    }

    /** An open connection negotiates while it reads: as many rounds as a handshake has flights, and some more. */
    private void exchangeUntilNegotiated(Link link) throws IOException {
        for (int round = 0; round < 8; round++) {
            exchange(link);
        }
    }

    /** The client speaks first. */
    private void exchange(Link link) throws IOException {
        if (client) {
            // What `openssl s_server -rev` answers: the end of a line.
            link.send('\n');
            link.receive();
        } else if (link.receive() >= 0) {
            link.send('\n');
        }
    }

    /** Several connections on the thread of an event loop: each takes a step, then the next. */
    void interleave(int port, int connections) throws IOException, GeneralSecurityException {
        List<EngineLink> going = new ArrayList<>();
        List<EngineLink> all = new ArrayList<>();
        for (int i = 0; i < connections; i++) {
            all.add(engineLink(connect(port)));
        }
        going.addAll(all);
        while (!going.isEmpty()) {
            for (EngineLink link : new ArrayList<>(going)) {
                try {
                    if (link.begun() && link.step()) {
                        going.remove(link);
                    }
                } catch (IOException e) {
                    going.remove(link);
                    all.remove(link);
                    link.close();
                }
            }
        }
        for (EngineLink link : all) {
            exchange(link);
        }
        for (EngineLink link : all) {
            link.close();
        }
    }

    static Socket connect(int port) throws IOException {
        Socket tcp = new Socket();
        tcp.connect(new InetSocketAddress("127.0.0.1", port), PATIENCE_MILLIS);
        tcp.setSoTimeout(PATIENCE_MILLIS);
        return tcp;
    }

    /** Says that nothing more comes, and waits for the other end to do so too. */
    static void drain(Socket tcp) {
        try {
            tcp.shutdownOutput();
        } catch (IOException e) {
            return;
        }
        drain(tcp, PATIENCE_MILLIS);
    }

    private static void drain(Socket tcp, int millis) {
        try {
            tcp.setSoTimeout(millis);
            byte[] rest = new byte[4096];
            while (tcp.getInputStream().read(rest) >= 0) {
                // Only the end matters.
            }
        } catch (IOException e) {
            // Gone or silent: nothing left to wait for.
        }
    }

    /** One whole record, the ClientHello. */
    private static void readRecord(InputStream in) throws IOException {
        DataInputStream data = new DataInputStream(in);
        byte[] header = new byte[5];
        data.readFully(header);
        data.readFully(new byte[(header[3] & 0xff) << 8 | header[4] & 0xff]);
    }
}
