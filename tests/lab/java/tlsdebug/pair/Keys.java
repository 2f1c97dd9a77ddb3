package tlsdebug.pair;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CRL;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;

/** The folder of NAME.crt, NAME.key and NAME.crl files (PEM), and the contexts made from it. */
final class Keys {
    private static final char[] PASSWORD = "none".toCharArray();
    private final Path folder;

    Keys(Path folder) {
        this.folder = folder;
    }

    SSLContext context(End end) throws GeneralSecurityException, IOException {
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(identity(end), PASSWORD);
        KeyManager manager = keys.getKeyManagers()[0];
        if (end.insists) {
            manager = new Insisting((X509ExtendedKeyManager) manager);
        }
        X509ExtendedTrustManager trust = (X509ExtendedTrustManager) trust(end).getTrustManagers()[0];
        SSLContext context = SSLContext.getInstance("TLS");
        // The JDK's own trust manager must not be wrapped where nothing is to change.
        context.init(new KeyManager[] {manager}, new TrustManager[] {end.wrapTrust.apply(trust)}, null);
        return context;
    }

    private TrustManagerFactory trust(End end) throws GeneralSecurityException, IOException {
        KeyStore anchors = KeyStore.getInstance("JKS");
        anchors.load(null, null);
        for (String name : end.trust) {
            anchors.setCertificateEntry(name, certificate(name));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        if (end.revoked == null) {
            factory.init(anchors);
            return factory;
        }
        PKIXBuilderParameters parameters = new PKIXBuilderParameters(anchors, new X509CertSelector());
        parameters.setRevocationEnabled(true);
        List<CRL> lists = new ArrayList<>();
        for (String name : end.revoked) {
            try (InputStream in = Files.newInputStream(folder.resolve(name + ".crl"))) {
                lists.add(CertificateFactory.getInstance("X.509").generateCRL(in));
            }
        }
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists)));
        factory.init(new CertPathTrustManagerParameters(parameters));
        return factory;
    }

    private KeyStore identity(End end) throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("JKS");
        store.load(null, null);
        if (end.chain.length > 0) {
            Certificate[] chain = new Certificate[end.chain.length];
            for (int i = 0; i < chain.length; i++) {
                chain[i] = certificate(end.chain[i]);
            }
            store.setKeyEntry("identity", key(end.chain[0], chain[0].getPublicKey().getAlgorithm()), PASSWORD, chain);
        }
        return store;
    }

    private Certificate certificate(String name) throws GeneralSecurityException, IOException {
        try (InputStream in = Files.newInputStream(folder.resolve(name + ".crt"))) {
            return CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    private PrivateKey key(String name, String algorithm) throws GeneralSecurityException, IOException {
        String pem = new String(Files.readAllBytes(folder.resolve(name + ".key")), StandardCharsets.US_ASCII);
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    /** Sends the only certificate it has, whichever issuers are asked for. */
    private static final class Insisting extends X509ExtendedKeyManager {
        private final X509ExtendedKeyManager keys;

        Insisting(X509ExtendedKeyManager keys) {
            this.keys = keys;
        }

        @Override
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            return "identity";
        }

        @Override
        public String chooseEngineClientAlias(String[] types, Principal[] issuers, SSLEngine engine) {
            return "identity";
        }

        @Override
        public String[] getClientAliases(String type, Principal[] issuers) {
            return new String[] {"identity"};
        }

        @Override
        public String[] getServerAliases(String type, Principal[] issuers) {
            return keys.getServerAliases(type, issuers);
        }

        @Override
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            return keys.chooseServerAlias(type, issuers, socket);
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return keys.getCertificateChain(alias);
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return keys.getPrivateKey(alias);
        }
    }
}
