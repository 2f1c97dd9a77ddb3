package tlsdebug.lab;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/** How one end of a connection is set up. Null lists leave the choice to the JDK. */
class Side {
    /** Stands for the certificate this process was given to answer with. */
    static final String OWN = "$own";

    /** Names of the certificates to send, own one first; empty: no certificate. */
    List<String> chain = Collections.emptyList();
    /** Names of the certificates to trust. */
    List<String> trust = Collections.singletonList("root");
    private String[] protocols;
    private String[] cipherSuites;

    Side chain(String... names) {
        chain = Arrays.asList(names);
        return this;
    }

    Side protocols(String... names) {
        protocols = names;
        return this;
    }

    Side cipherSuites(String... names) {
        cipherSuites = names;
        return this;
    }

    SSLParameters applyTo(SSLSocket socket) {
        SSLParameters parameters = socket.getSSLParameters();
        if (protocols != null) {
            parameters.setProtocols(protocols);
        }
        if (cipherSuites != null) {
            parameters.setCipherSuites(cipherSuites);
        }
        return parameters;
    }

    /** The end that answers. */
    static final class Server extends Side {
        Answer answer = Answer.TLS;
        boolean asksForClientCertificate;

        Server() {
            chain(OWN, "issuing");
        }

        @Override
        SSLParameters applyTo(SSLSocket socket) {
            SSLParameters parameters = super.applyTo(socket);
            parameters.setNeedClientAuth(asksForClientCertificate);
            return parameters;
        }
    }
}
