package tlsdebug.pair;

import java.lang.reflect.Method;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.Collections;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIMatcher;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.StandardConstants;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/** How one end is set up. What is null is left to the JDK. */
final class End {
    /** The name in the certificates, which the client asks for unless it is told another. */
    static final String HOST = "bank.example";

    /** Names of the certificates to send, its own first; empty: none. */
    String[] chain = {};
    /** Names of the certificates to trust. */
    String[] trust = {"root"};
    String[] protocols;
    String[] suites;
    String[] applications;
    /** Server: the only names that it serves, as a pattern. */
    String served;
    /** Client: no name is asked for. */
    boolean nameless;
    boolean needClientAuth;
    boolean checkHost = true;
    /** The client sends its certificate whoever is asked for. */
    boolean insists;
    /** Names of the lists of revoked certificates; not null: revocation is checked. */
    String[] revoked;
    /** The context that the JVM makes of system properties. */
    boolean defaultContext;
    /** It needs the limits of JSSE (jdk.tls.max…). */
    boolean limited;
    UnaryOperator<X509ExtendedTrustManager> wrapTrust = UnaryOperator.identity();

    SSLContext context(Keys keys) throws GeneralSecurityException, java.io.IOException {
        return defaultContext ? SSLContext.getDefault() : keys.context(this);
    }

    /** Whether this JVM knows the versions that are asked for. */
    boolean isPossible() throws GeneralSecurityException {
        if (limited && !hasLimits()) {
            return false;
        }
        SSLContext any = SSLContext.getInstance("TLS");
        any.init(new KeyManager[0], new TrustManager[0], null);
        return Arrays.asList(any.getSupportedSSLParameters().getProtocols()).containsAll(Arrays.asList(protocols));
    }

    /** Whether this JVM limits chains and messages, which came with the engine of JDK 11 (8u272). */
    private static boolean hasLimits() {
        try {
            Class.forName("sun.security.ssl.SSLLogger");
            return true;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    SSLParameters parameters(SSLParameters parameters, boolean client) {
        if (protocols != null) {
            parameters.setProtocols(protocols);
        }
        if (suites != null) {
            parameters.setCipherSuites(suites);
        }
        if (client && checkHost) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        if (client && nameless) {
            parameters.setServerNames(Collections.<SNIServerName>emptyList());
        } else if (client) {
            parameters.setServerNames(Collections.singletonList(new SNIHostName(HOST)));
        }
        if (!client) {
            parameters.setNeedClientAuth(needClientAuth);
            if (served != null) {
                parameters.setSNIMatchers(Collections.singletonList(matcher()));
            }
        }
        if (applications != null) {
            applicationProtocols(parameters);
        }
        return parameters;
    }

    private SNIMatcher matcher() {
        final Pattern pattern = Pattern.compile(served);
        return new SNIMatcher(StandardConstants.SNI_HOST_NAME) {
            @Override
            public boolean matches(SNIServerName name) {
                return pattern.matcher(new SNIHostName(name.getEncoded()).getAsciiName()).matches();
            }
        };
    }

    /** Since 8u251, which is more than {@code --release 8} knows. */
    private void applicationProtocols(SSLParameters parameters) {
        try {
            Method set = SSLParameters.class.getMethod("setApplicationProtocols", String[].class);
            set.invoke(parameters, (Object) applications);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this JDK has no ALPN", e);
        }
    }

    End chain(String... names) {
        chain = names;
        return this;
    }

    End trust(String... names) {
        trust = names;
        return this;
    }

    End suites(String... names) {
        suites = names;
        return this;
    }
}
