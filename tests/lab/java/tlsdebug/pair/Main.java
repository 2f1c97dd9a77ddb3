package tlsdebug.pair;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * One end of all scenarios of a profile: {@code server CERTIFICATES OUT} prints its control port, {@code client CERTIFICATES OUT
 * PORT PROFILE [SCENARIO...]} goes through the scenarios. Each end writes OUT/SCENARIO.WAY/client.log or server.log.
 */
public final class Main {
    private static final PrintStream CONSOLE = System.out;
    /** The server's answer where its JVM does not have what a scenario needs. */
    private static final int IMPOSSIBLE = 0;

    private final Path certificates;
    private final Path out;
    private final Keys keys;

    private Main(String certificates, String out) {
        this.certificates = Paths.get(certificates);
        this.out = Paths.get(out);
        keys = new Keys(this.certificates);
    }

    public static void main(String[] args) throws Exception {
        PrintStream errors = System.err;
        Main main = new Main(args[1], args[2]);
        try {
            if (args[0].equals("server")) {
                main.serve();
            } else {
                main.call(Integer.parseInt(args[3]), args[4], Arrays.asList(args).subList(5, args.length));
            }
        } catch (Exception e) {
            e.printStackTrace(errors);
            System.exit(1);
        }
    }

    static Thread daemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }

    /** What the JVM prints goes to a file from now on. */
    private PrintStream log(Scenario scenario, String way, String end) throws IOException {
        Path folder = Files.createDirectories(out.resolve(scenario.name + "." + way));
        PrintStream stream = new PrintStream(Files.newOutputStream(folder.resolve(end + ".log")), true);
        System.setOut(stream);
        System.setErr(stream);
        return stream;
    }

    private static void endLog(PrintStream stream) {
        discard();
        stream.close();
    }

    /** What the JVM prints from now on, such as a finalizer that closes a forgotten socket, belongs to no scenario. */
    private static void discard() {
        PrintStream nowhere = new PrintStream(new OutputStream() {
            @Override
            public void write(int octet) {}
        });
        System.setOut(nowhere);
        System.setErr(nowhere);
    }

    private static boolean isPossible(End end) throws GeneralSecurityException {
        discard();
        return end.isPossible();
    }

    private void call(int control, String profile, List<String> names) throws Exception {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), control)) {
            BufferedReader in =
                    new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
            PrintWriter to = new PrintWriter(socket.getOutputStream(), true);
            for (Scenario scenario : Scenario.of(profile, names)) {
                for (String way : scenario.ways) {
                    if (!isPossible(scenario.end(true, way))) {
                        continue;
                    }
                    to.println(scenario.name + " " + way);
                    int port = Integer.parseInt(in.readLine());
                    if (port == IMPOSSIBLE) {
                        continue;
                    }
                    PrintStream log = log(scenario, way, "client");
                    try {
                        attempt(scenario, way, port);
                    } finally {
                        endLog(log);
                    }
                    if (scenario.opensslClient != null) {
                        Files.delete(out.resolve(scenario.name + "." + way).resolve("client.log"));
                    }
                    to.println("end");
                    in.readLine();
                }
            }
        }
    }

    private void attempt(Scenario scenario, String way, int port) throws Exception {
        Peer peer = peer(scenario, way, true);
        if (scenario.interleaved) {
            peer.interleave(port, scenario.attempts);
            return;
        }
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < scenario.attempts; i++) {
            Thread thread = daemon("worker", () -> attemptOnce(scenario, way, port, peer));
            threads.add(thread);
            thread.start();
            if (!scenario.parallel) {
                thread.join();
            }
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private void attemptOnce(Scenario scenario, String way, int port, Peer peer) {
        try {
            if (scenario.opensslClient != null) {
                openssl("s_client -connect 127.0.0.1:" + port, scenario.opensslClient, way);
                return;
            }
            try (Socket tcp = Peer.connect(port)) {
                tcp.setSoTimeout(scenario.patienceMillis);
                scenario.clientConduct.run(peer, tcp);
                System.out.println("Answered.");
            }
        } catch (Exception e) {
            System.out.println("Call failed:");
            e.printStackTrace();
        }
    }

    private Peer peer(Scenario scenario, String way, boolean client) throws Exception {
        String transport = way.substring(way.indexOf('-') + 1);
        Peer peer = new Peer(scenario.end(client, way), client, keys, transport);
        boolean idle = client ? scenario.opensslClient != null : scenario.opensslServer != null;
        if (!idle && (scenario.resumes || !client)) {
            peer.share();
        }
        return peer;
    }

    private void serve() throws Exception {
        try (ServerSocket control = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CONSOLE.println(control.getLocalPort());
            try (Socket socket = control.accept()) {
                BufferedReader in =
                        new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
                PrintWriter to = new PrintWriter(socket.getOutputStream(), true);
                for (String line; (line = in.readLine()) != null; ) {
                    String[] asked = line.split(" ");
                    for (Scenario scenario : Catalogue.all()) {
                        if (scenario.name.equals(asked[0]) && !isPossible(scenario.end(false, asked[1]))) {
                            to.println(IMPOSSIBLE);
                        } else if (scenario.name.equals(asked[0])) {
                            serve(scenario, asked[1], in, to);
                            to.println("done");
                        }
                    }
                }
            }
        }
    }

    private void serve(Scenario scenario, String way, BufferedReader in, PrintWriter to) throws Exception {
        if (scenario.opensslServer != null) {
            serveByOpenssl(scenario, way, in, to);
            return;
        }
        PrintStream log = log(scenario, way, "server");
        try {
            ServerSocket listener = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
            Peer peer = peer(scenario, way, false);
            List<Thread> handlers = new ArrayList<>();
            Thread acceptor = daemon("listener", () -> accept(listener, scenario, peer, handlers));
            acceptor.start();
            to.println(listener.getLocalPort());
            in.readLine();
            listener.close();
            acceptor.join();
            for (Thread handler : handlers) {
                handler.join(2 * Peer.PATIENCE_MILLIS);
            }
        } finally {
            endLog(log);
        }
    }

    private void accept(ServerSocket listener, Scenario scenario, Peer peer, List<Thread> handlers) {
        try {
            while (true) {
                Socket socket = listener.accept();
                Thread handler = daemon("handler-" + (handlers.size() + 1), () -> answer(scenario, peer, socket));
                handlers.add(handler);
                handler.start();
            }
        } catch (IOException e) {
            // Closed: the scenario is over.
        }
    }

    private void answer(Scenario scenario, Peer peer, Socket accepted) {
        try (Socket tcp = accepted) {
            tcp.setSoTimeout(scenario.patienceMillis);
            scenario.serverConduct.run(peer, tcp);
            if (!tcp.isClosed()) {
                Peer.drain(tcp);
            }
        } catch (Exception e) {
            System.out.println("Answer failed:");
            e.printStackTrace();
        }
    }

    private void serveByOpenssl(Scenario scenario, String way, BufferedReader in, PrintWriter to) throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        Process process = start("s_server -accept " + port + " -quiet -rev", scenario.opensslServer,
                scenario.name.endsWith("version") ? "" : way);
        for (int left = 1_000; left > 0 && !listens(port); left--) {
            Thread.sleep(20);
        }
        to.println(port);
        in.readLine();
        process.destroy();
        process.waitFor(5, TimeUnit.SECONDS);
    }

    private static boolean listens(int port) {
        try {
            new Socket(InetAddress.getLoopbackAddress(), port).close();
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private void openssl(String command, String options, String way) throws Exception {
        Process process = start(command, options, way);
        process.getOutputStream().write('\n');
        process.getOutputStream().close();
        if (!process.waitFor(Peer.PATIENCE_MILLIS, TimeUnit.MILLISECONDS)) {
            process.destroy();
        }
    }

    private Process start(String command, String options, String way) throws IOException {
        List<String> line = new ArrayList<>(Arrays.asList(("openssl " + command).split(" ")));
        if (!way.isEmpty()) {
            line.add(Scenario.opensslVersion(way));
        }
        line.addAll(Arrays.asList(options.trim().replace("{}", certificates.toString()).split(" +")));
        ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
        builder.redirectOutput(ProcessBuilder.Redirect.to(new File("/dev/null")));
        return builder.start();
    }
}
