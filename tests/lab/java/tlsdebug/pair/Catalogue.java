package tlsdebug.pair;

import static tlsdebug.pair.Peer.TALK;

import java.util.ArrayList;
import java.util.List;

/** The scenarios; truth.tsv says what each must show. */
final class Catalogue {
    private static final String TLS12 = "tls12-socket";
    private static final String TLS13 = "tls13-socket";

    private final List<Scenario> scenarios = new ArrayList<>();

    private Catalogue() {}

    static List<Scenario> all() {
        Catalogue catalogue = new Catalogue();
        catalogue.good();
        catalogue.offers();
        catalogue.serverCertificates();
        catalogue.clientCertificates();
        catalogue.stores();
        catalogue.connections();
        catalogue.openssl();
        return catalogue.scenarios;
    }

    private Scenario add(String name) {
        Scenario scenario = new Scenario(name);
        scenarios.add(scenario);
        return scenario;
    }

    private void good() {
        add("good-pair");
        add("good-old").profile("old").ways("tls11-socket", "tls10-socket", "tls10-engine");
        add("good-mutual").client(c -> c.chain("client", "issuing")).server(s -> s.needClientAuth = true);
        add("good-ec").server(s -> s.chain("ec", "issuing"));
        add("good-alpn").client(c -> c.applications = new String[] {"h2", "http/1.1"})
                .server(s -> s.applications = new String[] {"http/1.1"});
        add("good-nameless").client(c -> c.nameless = true);
        add("good-resumption").attempts(3).resumes = true;
        add("good-mutual-resumption").attempts(3).client(c -> c.chain("client", "issuing"))
                .server(s -> s.needClientAuth = true).resumes = true;
        add("good-retry").profile("retry").ways(TLS13, "tls13-engine", "tls13-tasks");
        add("good-interleaved").attempts(4).ways("tls13-engine", "tls12-engine", "tls13-tasks", "tls12-tasks")
                .interleaved = true;
        add("good-parallel").attempts(4).parallel = true;
        add("good-renegotiation").conduct(Peer.CLIENT_RENEGOTIATES, Peer.CLIENT_RENEGOTIATES).ways(TLS12);
        add("good-key-update").conduct(Peer.CLIENT_RENEGOTIATES, Peer.CLIENT_RENEGOTIATES).ways(TLS13);
        add("good-renegotiated-certificate").conduct(Peer.SERVER_RENEGOTIATES, Peer.SERVER_RENEGOTIATES)
                .client(c -> c.chain("client", "issuing")).ways(TLS12);
    }

    private void offers() {
        add("version-new-server").ways(TLS12, "tls12-engine").server(s -> s.protocols = new String[] {"TLSv1.3"});
        add("version-old-server").ways(TLS13, "tls13-engine").server(s -> s.protocols = new String[] {"TLSv1.2"});
        add("version-ancient-client").profile("old").ways("tls10-socket", "tls11-engine")
                .server(s -> s.protocols = new String[] {"TLSv1.3", "TLSv1.2"});
        add("version-ancient-server").profile("old").ways("tls10-socket", "tls11-engine")
                .client(c -> c.protocols = new String[] {"TLSv1.3", "TLSv1.2"});
        add("version-disabled").profile("strict").ways("tls10-socket", "tls11-engine").server(s -> s.protocols = new String[] {"TLSv1.2"});
        add("suites-13").ways(TLS13, "tls13-engine").client(c -> c.suites("TLS_AES_128_GCM_SHA256"))
                .server(s -> s.suites("TLS_AES_256_GCM_SHA384"));
        add("suites-12").ways(TLS12, "tls12-tasks").client(c -> c.suites("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"))
                .server(s -> s.suites("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"));
        add("suites-old").profile("old").ways("tls10-socket").client(c -> c.suites("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"))
                .server(s -> s.suites("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"));
        add("suites-key-type").ways(TLS12, "tls12-engine")
                .client(c -> c.suites("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")).server(s -> s.chain("ec", "issuing"));
        add("no-server-key").server(s -> s.chain());
        add("groups-apart").profile("groups").client(c -> {
            if (c.protocols[0].equals("TLSv1.2")) {
                c.suites("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
            }
        });
        add("schemes-apart").profile("schemes").ways(TLS13, "tls13-engine");
        add("alpn-apart").client(c -> c.applications = new String[] {"h2"})
                .server(s -> s.applications = new String[] {"http/1.1"});
        add("name-unknown").server(s -> s.served = "shop\\.example");
        add("renegotiation-refused").profile("no-renegotiation").ways(TLS12)
                .conduct(Peer.CLIENT_RENEGOTIATES, Peer.CLIENT_RENEGOTIATES);
    }

    private void serverCertificates() {
        add("missing-issuer").server(s -> s.chain("bank"));
        add("other-authority").server(s -> s.chain("other", "other-issuing"));
        add("other-authority-root").server(s -> s.chain("other", "other-issuing", "other-root"));
        add("other-authority-direct").server(s -> s.chain("other-direct"));
        add("false-authority").server(s -> s.chain("false"));
        add("self-signed-server").server(s -> s.chain("self-signed"));
        add("expired-server").server(s -> s.chain("expired", "issuing"));
        add("expired-issuing").server(s -> s.chain("under-old", "old-issuing"));
        add("future-server").server(s -> s.chain("future", "issuing"));
        add("other-host").server(s -> s.chain("other-name", "issuing"));
        add("other-host-common-name").server(s -> s.chain("no-name", "issuing"));
        add("revoked-server").server(s -> s.chain("revoked", "issuing"))
                .client(c -> c.revoked = new String[] {"issuing", "root"});
        add("revocation-unknown").client(c -> c.revoked = new String[] {});
        add("usage-clients-only").server(s -> s.chain("for-clients", "issuing"));
        add("usage-no-signature").server(s -> s.chain("for-signing", "issuing"));
        add("issuer-no-authority").server(s -> s.chain("under-none", "no-authority"));
        add("weak-digest").server(s -> s.chain("md5", "issuing"));
        add("weak-key").server(s -> s.chain("short", "issuing"));
        add("weak-sha1").profile("strict").server(s -> s.chain("sha1", "issuing"));
        add("chain-too-long").profile("short-chains").client(c -> c.limited = true)
                .server(s -> s.chain("bank", "issuing", "root"));
        add("message-too-large").profile("small-messages").client(c -> c.limited = true);
    }

    private void clientCertificates() {
        add("no-client-certificate").server(s -> s.needClientAuth = true);
        add("no-fitting-client-certificate").client(c -> c.chain("other-client", "other-issuing"))
                .server(s -> s.needClientAuth = true);
        clientCertificate("client-certificate-untrusted", "other-client", "other-issuing");
        clientCertificate("client-certificate-self-signed", "client-self-signed");
        clientCertificate("client-certificate-expired", "client-expired", "issuing");
        clientCertificate("client-certificate-usage", "client-for-servers", "issuing");
        clientCertificate("client-certificate-no-issuer", "client");
        add("renegotiated-no-certificate").conduct(Peer.SERVER_RENEGOTIATES, Peer.SERVER_RENEGOTIATES).ways(TLS12);
    }

    private void clientCertificate(String name, String... chain) {
        add(name).server(s -> s.needClientAuth = true).client(c -> {
            c.chain(chain);
            c.insists = true;
        });
    }

    private void stores() {
        add("no-anchors").client(c -> c.trust());
        add("no-anchors-server").client(c -> c.chain("client", "issuing").insists = true).server(s -> {
            s.trust();
            s.needClientAuth = true;
        });
        add("store-unreadable").profile("locked-store").client(c -> c.defaultContext = true);
        add("trust-defect").client(c -> c.wrapTrust = trust -> new ThrowingTrust(true));
        add("trust-refuses").client(c -> c.wrapTrust = trust -> new ThrowingTrust(false));
    }

    private void connections() {
        add("server-closes").conduct(TALK, Peer.CLOSE_AFTER_HELLO);
        add("server-resets").conduct(TALK, Peer.RESET_AFTER_HELLO);
        add("server-silent").conduct(TALK, Peer.NO_ANSWER).patienceMillis = 500;
        add("server-plain").conduct(TALK, Peer.answersPlain("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
        add("server-ssh").conduct(TALK, Peer.answersPlain("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"));
        add("server-alert").conduct(TALK, Peer.answersAlert(2, 40));
        add("server-alert-internal").conduct(TALK, Peer.answersAlert(2, 80));
        add("server-close-notify").conduct(TALK, Peer.answersAlert(1, 0));
        add("client-closes").conduct(Peer.HELLO_THEN_CLOSE, TALK);
        add("client-resets").conduct(Peer.HELLO_THEN_RESET, TALK);
        add("client-silent").conduct(Peer.SILENCE, TALK).patienceMillis = 500;
        add("client-plain").conduct(Peer.PLAIN_REQUEST, TALK);
        add("interleaved-expired").attempts(3).ways("tls13-engine", "tls12-engine", "tls13-tasks", "tls12-tasks")
                .server(s -> s.chain("expired", "issuing")).interleaved = true;
        add("parallel-expired").attempts(4).server(s -> s.chain("expired", "issuing")).parallel = true;
    }

    private void openssl() {
        String bank = "-cert {}/bank.crt -key {}/bank.key -cert_chain {}/issuing.crt ";
        add("openssl-server-good").opensslServer(bank);
        add("openssl-server-mutual").opensslServer(bank + "-Verify 3 -CAfile {}/root.crt -verify_return_error")
                .client(c -> c.chain("client", "issuing"));
        add("openssl-server-resumption").opensslServer(bank).attempts(3).resumes = true;
        add("openssl-server-version").opensslServer(bank + "-no_tls1_3").ways(TLS13, "tls13-engine");
        add("openssl-server-suites").opensslServer(bank + "-ciphersuites TLS_AES_256_GCM_SHA384 -cipher AES256-SHA")
                .client(c -> c.suites(c.protocols[0].equals("TLSv1.3")
                        ? "TLS_AES_128_GCM_SHA256" : "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
        add("openssl-server-groups").opensslServer(bank + "-groups brainpoolP512r1").ways(TLS13, "tls13-engine");
        add("openssl-server-no-issuer").opensslServer("-cert {}/bank.crt -key {}/bank.key");
        add("openssl-server-expired")
                .opensslServer("-cert {}/expired.crt -key {}/expired.key -cert_chain {}/issuing.crt");
        add("openssl-server-alpn").opensslServer(bank + "-alpn http/1.1")
                .client(c -> c.applications = new String[] {"h2"});
        add("openssl-server-name")
                .opensslServer(bank + "-servername shop.example -servername_fatal -cert2 {}/bank.crt -key2 {}/bank.key");
        add("openssl-server-no-client-certificate").opensslServer(bank + "-Verify 3 -CAfile {}/root.crt");
        add("openssl-server-client-certificate-untrusted")
                .opensslServer(bank + "-Verify 3 -CAfile {}/root.crt -verify_return_error").client(c -> {
                    c.chain("other-client", "other-issuing");
                    c.insists = true;
                });
        String trusting = "-CAfile {}/root.crt -verify_return_error -servername bank.example ";
        add("openssl-client-good").opensslClient(trusting);
        add("openssl-client-mutual").server(s -> s.needClientAuth = true)
                .opensslClient(trusting + "-cert {}/client.crt -key {}/client.key -cert_chain {}/issuing.crt");
        add("openssl-client-version").opensslClient(trusting).ways(TLS12, "tls12-engine")
                .server(s -> s.protocols = new String[] {"TLSv1.3"});
        add("openssl-client-suites").server(s -> s.suites(s.protocols[0].equals("TLSv1.3")
                        ? "TLS_AES_256_GCM_SHA384" : "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"))
                .opensslClient(trusting + "-ciphersuites TLS_AES_128_GCM_SHA256 -cipher ECDHE-RSA-AES128-GCM-SHA256");
        add("openssl-client-groups").profile("groups").ways(TLS13, "tls13-engine")
                .opensslClient(trusting + "-groups P-521");
        add("openssl-client-alpn").server(s -> s.applications = new String[] {"http/1.1"})
                .opensslClient(trusting + "-alpn h2");
        add("openssl-client-name").server(s -> s.served = "shop\\.example").opensslClient(trusting);
        add("openssl-client-distrusts").opensslClient("-CAfile {}/other-root.crt -verify_return_error");
        add("openssl-client-expired").server(s -> s.chain("expired", "issuing")).opensslClient(trusting);
        add("openssl-client-no-certificate").server(s -> s.needClientAuth = true).opensslClient(trusting);
        add("openssl-client-certificate-untrusted").server(s -> s.needClientAuth = true)
                .opensslClient(trusting + "-cert {}/other-client.crt -key {}/other-client.key "
                        + "-cert_chain {}/other-issuing.crt");
    }
}
