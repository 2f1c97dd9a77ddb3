package tlsdebug.lab;

import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What the environment asks for; README.md beside the image lists the variables. */
final class Settings {
    final boolean client;
    final boolean server;
    final Fault fault;
    final List<Client.Target> targets = new ArrayList<>();
    /** Where to connect instead of resolving the host's name, or null. */
    final String address;
    final int serverPort;
    final long intervalMillis;
    /** Requests to each target; 0: without end. */
    final int attempts;
    final long startMillis;
    final long stopMillis;
    final int httpPort;
    /** The Integration Server folder, or null for a plain process that ends with its work. */
    final Path home;
    final Certificates certificates;

    Settings(Map<String, String> env, String homeDir) {
        String role = env.getOrDefault("TLSDEBUG_ROLE", "client");
        client = role.equals("client") || role.equals("both");
        server = role.equals("server") || role.equals("both");
        if (!client && !server) {
            throw new IllegalArgumentException("TLSDEBUG_ROLE is neither client, server nor both: " + role);
        }
        fault = Fault.named(env.getOrDefault("TLSDEBUG_FAULT", Fault.GOOD.id()));
        for (String target : env.getOrDefault("TLSDEBUG_SERVER", "localhost:5543").split(",")) {
            targets.add(new Client.Target(target.trim()));
        }
        address = env.get("TLSDEBUG_ADDRESS");
        serverPort = Integer.parseInt(env.getOrDefault("TLSDEBUG_PORT", "5543"));
        intervalMillis = Long.parseLong(env.getOrDefault("TLSDEBUG_INTERVAL_MS", "1000"));
        attempts = Integer.parseInt(env.getOrDefault("TLSDEBUG_ATTEMPTS", "0"));
        startMillis = millis(env.getOrDefault("TLSDEBUG_START_SECONDS", "1"));
        stopMillis = millis(env.getOrDefault("TLSDEBUG_STOP_SECONDS", "2"));
        httpPort = Integer.parseInt(env.getOrDefault("TLSDEBUG_HTTP_PORT", "5555"));
        home = homeDir == null ? null : Paths.get(homeDir);
        String folder = env.getOrDefault("TLSDEBUG_CERTIFICATES", homeDir + "/config/security");
        certificates = new Certificates(Paths.get(folder), env.getOrDefault("TLSDEBUG_CERTIFICATE", "bank"));
    }

    private static long millis(String seconds) {
        return Math.round(Double.parseDouble(seconds) * 1000);
    }
}
