package tlsdebug.lab;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The folder of NAME.crt and NAME.key files (PEM), and the TLS contexts made from it. */
final class Certificates {
    private static final char[] NO_PASSWORD = "none".toCharArray();

    private final Path folder;
    /** The certificate that a server answers with unless its fault names another. */
    private final String own;

    Certificates(Path folder, String own) {
        this.folder = folder;
        this.own = own;
    }

    SSLContext context(Side side) throws GeneralSecurityException, IOException {
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(identity(side), NO_PASSWORD);
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(anchors(side));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private KeyStore identity(Side side) throws GeneralSecurityException, IOException {
        KeyStore store = emptyStore();
        if (!side.chain.isEmpty()) {
            Certificate[] chain = new Certificate[side.chain.size()];
            for (int i = 0; i < chain.length; i++) {
                chain[i] = certificate(side.chain.get(i));
            }
            PrivateKey key = key(side.chain.get(0), chain[0].getPublicKey().getAlgorithm());
            store.setKeyEntry("identity", key, NO_PASSWORD, chain);
        }
        return store;
    }

    private KeyStore anchors(Side side) throws GeneralSecurityException, IOException {
        KeyStore store = emptyStore();
        for (String name : side.trust) {
            store.setCertificateEntry(name, certificate(name));
        }
        return store;
    }

    /** JKS, because PKCS12 refuses a chain whose certificates do not follow from each other. */
    private static KeyStore emptyStore() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("JKS");
        store.load(null, null);
        return store;
    }

    private Certificate certificate(String name) throws GeneralSecurityException, IOException {
        try (InputStream in = Files.newInputStream(file(name, ".crt"))) {
            return CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    private PrivateKey key(String name, String algorithm) throws GeneralSecurityException, IOException {
        String pem = new String(Files.readAllBytes(file(name, ".key")), StandardCharsets.US_ASCII);
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    private Path file(String name, String suffix) {
        return folder.resolve((Side.OWN.equals(name) ? own : name) + suffix);
    }
}
