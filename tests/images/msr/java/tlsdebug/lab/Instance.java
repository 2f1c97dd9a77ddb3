package tlsdebug.lab;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The life of a Microservices Runtime around its work: the primary port with health and administration, and the end,
 * which comes when the start script's lock file is gone or an administrator asks for it.
 */
final class Instance {
    private static final int RESTART = 42;
    private static final long POLL_MILLIS = 200;

    private final Path lock;
    private final long stopMillis;
    private final HttpServer http;
    private Integer exitStatus;

    Instance(Settings settings) throws IOException {
        lock = settings.home.resolve("bin").resolve(".lock");
        stopMillis = settings.stopMillis;
        http = HttpServer.create(new InetSocketAddress(settings.httpPort), 0);
        reply("/health/liveness", "{\"status\":\"UP\"}", null);
        reply("/health/readiness", "{\"status\":\"UP\"}", null);
        reply("/invoke/wm.server.admin/shutdown", "shutting down", 0);
        reply("/invoke/wm.server.admin/restart", "restarting", RESTART);
        http.start();
    }

    /** Returns the exit status once it is time to end. */
    int await() throws InterruptedException {
        int status = awaitEnd();
        ServerLog.write("ISS.0025.0009I", status == RESTART ? "Restarting server" : "Shutting down server");
        http.stop(0);
        Thread.sleep(stopMillis);
        ServerLog.write("ISS.0025.0010I", "Shutdown completed");
        return status;
    }

    private synchronized int awaitEnd() throws InterruptedException {
        while (exitStatus == null) {
            if (!Files.exists(lock)) {
                return 0;
            }
            wait(POLL_MILLIS);
        }
        return exitStatus;
    }

    private synchronized void end(int status) {
        exitStatus = status;
        notifyAll();
    }

    private void reply(String path, String body, Integer ending) {
        byte[] bytes = body.getBytes(StandardCharsets.US_ASCII);
        http.createContext(path, exchange -> {
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
            if (ending != null) {
                end(ending);
            }
        });
    }
}
