package tlsdebug.pair;

import java.io.IOException;
import java.net.Socket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/** A connection over {@link SSLSocket}. */
final class SocketLink implements Link {
    private final SSLSocket tls;
    private final Socket tcp;

    SocketLink(End end, SSLSocketFactory factory, Socket tcp, boolean client) throws IOException {
        this.tcp = tcp;
        tls = (SSLSocket) factory.createSocket(tcp, End.HOST, tcp.getPort(), false);
        tls.setUseClientMode(client);
        tls.setSSLParameters(end.parameters(tls.getSSLParameters(), client));
    }

    @Override
    public void handshake() throws IOException {
        tls.startHandshake();
    }

    @Override
    public void requireClientCertificate() {
        tls.setNeedClientAuth(true);
    }

    @Override
    public void send(int message) throws IOException {
        tls.getOutputStream().write(message);
    }

    @Override
    public int receive() throws IOException {
        return tls.getInputStream().read();
    }

    /** A socket that is closed with unread data is reset, and the peer may never see the last alert: so that is read. */
    @Override
    public void close() throws IOException {
        tls.close();
        Peer.drain(tcp);
    }
}
