package tlsdebug.pair;

import java.io.IOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;

/** A connection over {@link SSLEngine}, as NIO servers and clients have it. */
final class EngineLink implements Link {
    private static final ExecutorService TASKS = Executors.newFixedThreadPool(2, task -> Main.daemon("ssl-task", task));

    private final SSLEngine engine;
    private final Socket tcp;
    /** Run the engine's tasks on other threads. */
    private final boolean tasksElsewhere;
    private boolean begun;

    private final ByteBuffer in;
    private final ByteBuffer plain;
    private final ByteBuffer out;

    EngineLink(End end, SSLContext context, Socket tcp, boolean client, boolean tasksElsewhere) throws IOException {
        this.tcp = tcp;
        this.tasksElsewhere = tasksElsewhere;
        engine = context.createSSLEngine(End.HOST, tcp.getPort());
        engine.setUseClientMode(client);
        engine.setSSLParameters(end.parameters(engine.getSSLParameters(), client));
        int size = engine.getSession().getPacketBufferSize() + 1024;
        in = ByteBuffer.allocate(size);
        in.limit(0);
        plain = ByteBuffer.allocate(size);
        plain.limit(0);
        out = ByteBuffer.allocate(size);
        tcp.setTcpNoDelay(true);
    }

    @Override
    public void handshake() throws IOException {
        engine.beginHandshake();
        while (!step()) {
            // On to the next message.
        }
    }

    @Override
    public void requireClientCertificate() {
        engine.setNeedClientAuth(true);
    }

    /** Whether the handshake is under way; the first call begins it. */
    boolean begun() throws IOException {
        if (!begun) {
            engine.beginHandshake();
            begun = true;
        }
        return begun;
    }

    /** Takes the next step of a handshake; whether it was the last one. With a read that blocks. */
    boolean step() throws IOException {
        HandshakeStatus status = engine.getHandshakeStatus();
        if (status == HandshakeStatus.NOT_HANDSHAKING || status == HandshakeStatus.FINISHED) {
            return true;
        }
        try {
            if (status == HandshakeStatus.NEED_TASK) {
                runTasks();
            } else if (status == HandshakeStatus.NEED_WRAP) {
                wrap(ByteBuffer.allocate(0));
            } else {
                unwrap();
            }
        } catch (SSLException e) {
            flush();
            throw e;
        }
        return false;
    }

    /** Sends the first message only. */
    void sendHello() throws IOException {
        engine.beginHandshake();
        wrap(ByteBuffer.allocate(0));
    }

    private void runTasks() throws IOException {
        Runnable task;
        while ((task = engine.getDelegatedTask()) != null) {
            if (!tasksElsewhere) {
                task.run();
                continue;
            }
            try {
                TASKS.submit(task).get();
            } catch (InterruptedException | ExecutionException e) {
                throw new IOException(e);
            }
        }
    }

    private void wrap(ByteBuffer message) throws IOException {
        out.clear();
        SSLEngineResult result = engine.wrap(message, out);
        tcp.getOutputStream().write(out.array(), 0, out.position());
        if (result.getStatus() == SSLEngineResult.Status.CLOSED && out.position() == 0) {
            throw new SSLException("the engine is closed");
        }
    }

    private void unwrap() throws IOException {
        plain.compact();
        SSLEngineResult result = engine.unwrap(in, plain);
        plain.flip();
        if (result.getStatus() == SSLEngineResult.Status.BUFFER_UNDERFLOW) {
            fill();
        } else if (result.getStatus() == SSLEngineResult.Status.CLOSED
                && engine.getHandshakeStatus() != HandshakeStatus.NEED_WRAP) {
            throw new SSLException("the peer has closed");
        }
    }

    private void fill() throws IOException {
        in.compact();
        int count;
        try {
            count = tcp.getInputStream().read(in.array(), in.position(), in.remaining());
        } catch (SocketTimeoutException e) {
            // A timer of the framework's own closes the connection.
            engine.closeOutbound();
            throw e;
        } catch (IOException e) {
            count = -1;
        }
        if (count >= 0) {
            in.position(in.position() + count);
        }
        in.flip();
        if (count < 0) {
            engine.closeInbound();
            throw new SSLException("the peer has closed");
        }
    }

    /** Sends what is left: the alert. */
    private void flush() {
        try {
            for (int left = 4; left > 0 && engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP; left--) {
                wrap(ByteBuffer.allocate(0));
            }
        } catch (IOException e) {
            // The connection is lost anyway.
        }
    }

    @Override
    public void send(int message) throws IOException {
        wrap(ByteBuffer.wrap(new byte[] {(byte) message}));
    }

    @Override
    public int receive() throws IOException {
        while (!plain.hasRemaining()) {
            try {
                HandshakeStatus status = engine.getHandshakeStatus();
                if (status == HandshakeStatus.NEED_WRAP) {
                    wrap(ByteBuffer.allocate(0));
                } else if (status == HandshakeStatus.NEED_TASK) {
                    runTasks();
                } else if (engine.isInboundDone()) {
                    return -1;
                } else {
                    unwrap();
                }
            } catch (SSLException e) {
                flush();
                throw e;
            }
        }
        return plain.get();
    }

    @Override
    public void close() throws IOException {
        engine.closeOutbound();
        flush();
        Peer.drain(tcp);
    }
}
