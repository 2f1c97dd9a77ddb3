package tlsdebug.pair;

import java.io.Closeable;
import java.io.IOException;

/** One TLS connection at one of its ends, over a socket or an engine. */
interface Link extends Closeable {
    /** Makes the handshake; on an open connection, another one (TLS 1.3: a key update). */
    void handshake() throws IOException;

    void requireClientCertificate();

    void send(int message) throws IOException;

    /** Returns -1 at the end. */
    int receive() throws IOException;
}
