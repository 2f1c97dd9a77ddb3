package tlsdebug.lab;

import java.util.Locale;
import java.util.function.BiConsumer;

/**
 * The catalogue of outcomes a connection can be given: each entry says what it changes on a server and a client that
 * otherwise understand each other. Where an entry changes the client too, both processes need its name.
 */
enum Fault {
    GOOD((server, client) -> {}),
    MUTUAL_TLS((server, client) -> {
        server.asksForClientCertificate = true;
        client.chain("client", "issuing");
    }),
    PROTOCOL_VERSION((server, client) -> {
        server.protocols("TLSv1.3");
        client.protocols("TLSv1.2");
    }),
    CIPHER_SUITE((server, client) -> {
        server.protocols("TLSv1.2").cipherSuites("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
        client.protocols("TLSv1.2").cipherSuites("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    }),
    MISSING_INTERMEDIATE((server, client) -> server.chain(Side.OWN)),
    UNTRUSTED_ISSUER((server, client) -> server.chain("private", "private-issuing")),
    SELF_SIGNED((server, client) -> server.chain("self-signed")),
    EXPIRED((server, client) -> server.chain("expired", "issuing")),
    WRONG_HOST_NAME((server, client) -> server.chain("other-name", "issuing")),
    CLIENT_CERTIFICATE_MISSING((server, client) -> server.asksForClientCertificate = true),
    SILENT_CLOSE((server, client) -> server.answer = Answer.SILENT_CLOSE),
    NOT_TLS((server, client) -> server.answer = Answer.PLAIN_HTTP);

    private final BiConsumer<Side.Server, Side> change;

    Fault(BiConsumer<Side.Server, Side> change) {
        this.change = change;
    }

    static Fault named(String id) {
        for (Fault fault : values()) {
            if (fault.id().equals(id)) {
                return fault;
            }
        }
        throw new IllegalArgumentException("no fault is called " + id);
    }

    String id() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    Side.Server server() {
        Side.Server server = new Side.Server();
        change.accept(server, new Side());
        return server;
    }

    Side client() {
        Side client = new Side();
        change.accept(new Side.Server(), client);
        return client;
    }
}
