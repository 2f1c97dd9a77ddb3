package tlsdebug.lab;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.security.GeneralSecurityException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/** The role of an integration that calls a partner: one request after another to one target. */
final class Client implements Runnable {
    private final Target target;
    private final Side side;
    private final Certificates certificates;
    private final Settings settings;

    Client(Target target, Side side, Certificates certificates, Settings settings) {
        this.target = target;
        this.side = side;
        this.certificates = certificates;
        this.settings = settings;
    }

    @Override
    public void run() {
        try {
            for (int done = 1; ; done++) {
                call();
                if (done == settings.attempts) {
                    return;
                }
                Thread.sleep(settings.intervalMillis);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void call() {
        try {
            ServerLog.write("ISC.0077.0001I", "Request to https://" + target + " answered: " + exchange());
        } catch (IOException | GeneralSecurityException e) {
            ServerLog.write("ISC.0077.9998E", "Request to https://" + target + " failed: Exception --> " + e);
        }
    }

    private String exchange() throws IOException, GeneralSecurityException {
        // A context of its own for each request: Integration Server does not resume client sessions by default. Made before
        // the connection: the server would not wait for it on a busy machine.
        SSLSocketFactory factory = certificates.context(side).getSocketFactory();
        String address = settings.address == null ? target.host : settings.address;
        try (Socket tcp = new Socket()) {
            tcp.connect(new InetSocketAddress(address, target.port), Connection.TIMEOUT_MILLIS);
            tcp.setSoTimeout(Connection.TIMEOUT_MILLIS);
            try {
                return request(tcp, factory);
            } finally {
                Connection.end(tcp);
            }
        }
    }

    private String request(Socket tcp, SSLSocketFactory factory) throws IOException {
        SSLSocket tls = (SSLSocket) factory.createSocket(tcp, target.host, target.port, false);
        SSLParameters parameters = side.applyTo(tls);
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        tls.setSSLParameters(parameters);
        tls.startHandshake();
        tls.getOutputStream().write(Answer.Http.request(target.host));
        String statusLine = Answer.Http.readHead(tls.getInputStream());
        tls.close();
        return statusLine;
    }

    /** A host, whose name is also the one asked for by SNI, and a port. */
    static final class Target {
        final String host;
        final int port;

        Target(String text) {
            int colon = text.lastIndexOf(':');
            host = colon < 0 ? text : text.substring(0, colon);
            port = colon < 0 ? 443 : Integer.parseInt(text.substring(colon + 1));
        }

        @Override
        public String toString() {
            return host + ":" + port;
        }
    }
}
