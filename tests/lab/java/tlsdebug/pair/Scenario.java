package tlsdebug.pair;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;

/** One way for two ends to meet: what it changes on a client and a server that otherwise understand each other. */
final class Scenario {
    private static final List<String> ALL_WAYS =
            Arrays.asList("tls13-socket", "tls12-socket", "tls13-engine", "tls12-tasks");

    final String name;
    /** The system properties that it needs: run.sh starts the JVMs with them. */
    String profile = "default";
    /** VERSION-TRANSPORT. */
    List<String> ways = ALL_WAYS;
    private Consumer<End> client = end -> {};
    private Consumer<End> server = end -> {};
    Peer.Conduct clientConduct = Peer.TALK;
    Peer.Conduct serverConduct = Peer.TALK;
    /** The contexts outlive a connection, so that sessions are resumed. */
    boolean resumes;
    /** All connections on one thread, step by step. */
    boolean interleaved;
    /** Each connection on a thread of its own, at the same time. */
    boolean parallel;
    int attempts = 2;
    /** How long an end waits for the other's next bytes. */
    int patienceMillis = Peer.PATIENCE_MILLIS;
    /** OpenSSL takes the place of that end, with these options; {} stands for the folder of certificates. */
    String opensslServer;
    String opensslClient;

    Scenario(String name) {
        this.name = name;
    }

    /** The end set up for this scenario with this version. */
    End end(boolean isClient, String way) {
        End end = new End();
        end.protocols = new String[] {version(way)};
        if (!isClient) {
            end.chain("bank", "issuing");
        }
        (isClient ? client : server).accept(end);
        return end;
    }

    private static String version(String way) {
        switch (way.substring(0, way.indexOf('-'))) {
            case "tls13":
                return "TLSv1.3";
            case "tls12":
                return "TLSv1.2";
            case "tls11":
                return "TLSv1.1";
            default:
                return "TLSv1";
        }
    }

    /** How OpenSSL says that nothing but this version is spoken. */
    static String opensslVersion(String way) {
        return "-" + version(way).replace("TLSv", "tls").replace('.', '_');
    }

    Scenario client(Consumer<End> change) {
        client = change;
        return this;
    }

    Scenario server(Consumer<End> change) {
        server = change;
        return this;
    }

    Scenario conduct(Peer.Conduct ofClient, Peer.Conduct ofServer) {
        clientConduct = ofClient;
        serverConduct = ofServer;
        return this;
    }

    Scenario profile(String named) {
        profile = named;
        return this;
    }

    Scenario ways(String... versionsAndTransports) {
        ways = Arrays.asList(versionsAndTransports);
        return this;
    }

    Scenario attempts(int count) {
        attempts = count;
        return this;
    }

    Scenario opensslServer(String options) {
        opensslServer = options;
        return this;
    }

    Scenario opensslClient(String options) {
        opensslClient = options;
        return this;
    }

    static List<Scenario> of(String profile, List<String> names) {
        List<Scenario> chosen = new ArrayList<>();
        for (Scenario scenario : Catalogue.all()) {
            if (scenario.profile.equals(profile) && (names.isEmpty() || names.contains(scenario.name))) {
                chosen.add(scenario);
            }
        }
        return Collections.unmodifiableList(chosen);
    }
}
