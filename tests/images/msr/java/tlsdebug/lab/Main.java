package tlsdebug.lab;

import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLSocketFactory;

/** Stands in for Integration Server: calls or answers partners over TLS as the environment says. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        Settings settings = new Settings(System.getenv(), System.getProperty("watt.server.homeDir"));
        if (settings.home == null) {
            List<Thread> work = start(settings);
            // A server has no end of its own: with a client beside it, the client's end counts.
            for (Thread thread : settings.client ? work.subList(0, settings.targets.size()) : work) {
                thread.join();
            }
            return;
        }
        ServerLog.write("ISS.0025.0001I", "Integration Server stand-in, Java " + System.getProperty("java.version"));
        Thread.sleep(settings.startMillis);
        Instance instance = new Instance(settings);
        start(settings);
        ServerLog.write(
                "ISS.0014.0002I", "Initialization completed in " + settings.startMillis / 1000 + " seconds.");
        System.exit(instance.await());
    }

    /** Starts the roles asked for, and returns their threads, clients first. */
    private static List<Thread> start(Settings settings) throws Exception {
        List<Thread> threads = new ArrayList<>();
        if (settings.client) {
            for (Client.Target target : settings.targets) {
                Client client = new Client(target, settings.fault.client(), settings.certificates, settings);
                threads.add(daemon("ISClient-" + target.host, client));
            }
        }
        if (settings.server) {
            Side.Server side = settings.fault.server();
            SSLSocketFactory factory = settings.certificates.context(side).getSocketFactory();
            threads.add(daemon("HTTPS Listener", new Server(settings.serverPort, side, factory)));
        }
        for (Thread thread : threads) {
            thread.start();
        }
        return threads;
    }

    static Thread daemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }
}
