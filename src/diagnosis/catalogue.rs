//! The catalogue of causes: one entry for each, with who is at fault and what to do about it.
//!
//! The webMethods names are those of the Integration Server and Microservices Runtime: pages of the Administrator, extended
//! settings (`watt.…`) and trust store aliases.

use crate::handshake::Side;

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The end that sent the ClientHello.
    Client,
    /// The end that received it.
    Server,
    /// Either end can give way.
    Both,
    /// What lies between the ends.
    Network,
    /// The log of this end cannot tell.
    Unknown,
}

/// A cause of failed handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// Its name in reports.
    pub id: &'static str,
    /// Who has to act.
    pub fault: Fault,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What has happened.
    pub meaning: &'static str,
    /// How logs show it, by end where the ends differ; with JSSE's words in backquotes.
    pub signs: &'static [&'static str],
    /// What to do, the most likely remedy first.
    pub remedies: &'static [&'static str],
}

impl Cause {
    /// The end that sees this cause as a rule, for logs that do not show which one they are of.
    pub(super) fn default_side(&self) -> Side {
        if self.id == PEER_REJECTED_CERTIFICATE.id {
            Side::Server
        } else {
            Side::Client
        }
    }
}

const TRUST_STORE: &str = "webMethods: import the certificate into the trust store alias that the call uses (Administrator: Security > Keystore; \
     outbound HTTPS takes watt.security.trustStoreAlias, code that uses the JVM's own TLS such as JDBC, LDAP, Kafka or JMS takes \
     watt.server.ssl.trustStoreAlias or, without it, DEFAULT_JVM_TRUSTSTORE), then restart.";
const TRUST_STORE_JAVA: &str = "Java: keytool -importcert -alias <name> -file <certificate> -keystore <trust store>; the JVM reads the store that \
     -Djavax.net.ssl.trustStore names, else lib/security/cacerts.";
const KEY_STORE: &str = "webMethods: set the key store alias and key alias of the call: watt.security.ssl.keyStoreAlias and \
     watt.security.ssl.keyAlias, the remote server or consumer endpoint alias, or pub.security.keystore:setKeyAndChain before it; code \
     that uses the JVM's own TLS takes watt.server.ssl.keyStoreAlias.";
const KEY_STORE_JAVA: &str =
    "Java: give the SSLContext a KeyManager, or -Djavax.net.ssl.keyStore, keyStoreType and keyStorePassword.";
const DISABLED: &str = "Java: what a JVM refuses stands in jdk.tls.disabledAlgorithms of its java.security; webMethods overrides it in \
     config/security/webm_override_java.security.";

macro_rules! causes {
    ($(
        $(#[$doc:meta])*
        $name:ident = $id:literal, $fault:ident, $title:literal, $meaning:literal, [$($sign:literal),* $(,)?], [$($remedy:expr),* $(,)?];
    )*) => {
        $(
            $(#[$doc])*
            pub static $name: Cause = Cause {
                id: $id, fault: Fault::$fault, title: $title, meaning: $meaning, signs: &[$($sign),*], remedies: &[$($remedy),*],
            };
        )*
        /// Every cause, those that a remedy at one end settles first.
        pub static ALL: &[&Cause] = &[$(&$name),*];
    };
}

causes! {
    /// RFC 8446 §4.2.1, RFC 5246 §E.1.
    PROTOCOL_VERSION_MISMATCH = "ProtocolVersionMismatch", Both, "no common protocol version",
        "Client and server have no TLS version in common. The handshake ends before anything else is agreed upon.",
        [
            "At the server: `The client supported protocol versions [...] are not accepted by server preferences [...]`, with \
             both sets.",
            "At the client: the alert `protocol_version` in answer to the ClientHello, or `is not accepted by client preferences`.",
            "`No appropriate protocol (protocol is disabled or cipher suites are inappropriate)`: this JVM may use none of the \
             versions that are enabled; it is likely only, for the cipher suites can be the reason too.",
        ], [
        "Enable at one end a version that the other speaks; TLS 1.2 is the least that should be asked for.",
        "webMethods: watt.net.jsse.client.disabledProtocols and watt.net.jsse.server.disabledProtocols list what is switched off; a port \
         has jsseEnabledProtocols in its listeners.cnf.",
        DISABLED,
    ];
    /// RFC 8446 §4.1.1, RFC 5246 §7.4.1.3.
    CIPHER_SUITE_MISMATCH = "CipherSuiteMismatch", Both, "no common cipher suite",
        "The server supports none of the cipher suites that the client offers, or has no key that fits one of them.",
        [
            "At the server: `no cipher suites in common`. Where it looked in vain for a certificate too (`No X.509 cert selected \
             for ...`), its key store is as likely.",
            "At the client: the alert `handshake_failure` straight after a ClientHello with few suites; never more than likely \
             there.",
            "At the client: the alert `insufficient_security`.",
        ], [
        "Enable at one end a cipher suite that the other has.",
        "webMethods: watt.net.jsse.client.enabledCipherSuiteList and watt.net.jsse.server.enabledCipherSuiteList; `default` enables the \
         JVM's own list.",
        "On the server, look at the key store too: without a usable key of the right type no suite can be chosen.",
        DISABLED,
    ];
    /// RFC 8446 §4.2.7.
    NAMED_GROUP_MISMATCH = "NamedGroupMismatch", Both, "no common key exchange group",
        "The ends have no group for the key exchange (an elliptic curve or a Diffie-Hellman group) in common.",
        [
            "`No common named group`, `No supported named group` or `HelloRetryRequest selected group ...`.",
        ], [
        "Java: -Djdk.tls.namedGroups lists the groups of a JVM; x25519 and secp256r1 are what nearly everything has.",
        DISABLED,
    ];
    /// RFC 8446 §4.2.3.
    SIGNATURE_ALGORITHM_MISMATCH = "SignatureAlgorithmMismatch", Both, "no common signature algorithm",
        "One end cannot sign in a way that the other accepts.",
        [
            "`No supported signature algorithm`, `Unsupported signature algorithm` and the like at the end that gives up.",
            "At the server: `No available authentication scheme` before it gives up.",
        ], [
        "Give the server a key whose signatures the client accepts (RSA of 2048 bits or more, or ECDSA on secp256r1).",
        "Java: -Djdk.tls.client.SignatureSchemes and -Djdk.tls.server.SignatureSchemes restrict the list; remove the restriction.",
        DISABLED,
    ];
    /// RFC 7301 §3.2.
    APPLICATION_PROTOCOL_MISMATCH = "ApplicationProtocolMismatch", Both, "no common application protocol (ALPN)",
        "The client offers application protocols by ALPN, and the server speaks none of them.",
        [
            "At the server: `No matching application layer protocol values`.",
            "At the client: the alert `no_application_protocol`, which has no other meaning.",
        ], [
        "Offer at one end an application protocol (h2, http/1.1) that the other accepts, or do not use ALPN.",
    ];
    /// RFC 5246 §7.4.2: each certificate must certify the one before it, and only the root may be left out.
    MISSING_INTERMEDIATE = "MissingIntermediate", Server, "an intermediate certificate is not sent",
        "The chain stops before a root: the issuer of its last certificate was not sent, so the other end cannot get from the \
         certificate to an anchor that it trusts. Browsers fetch or remember what is missing; JVMs do not.",
        [
            "`PKIX path building failed` after a Certificate message whose last certificate names an issuer that is nowhere in \
             the message.",
            "Proven where the missing certificate is sent in another chain of the same log and leads to a trust anchor that the \
             log lists. Else likely: an authority that signs directly and is not trusted (UntrustedIssuer) looks the same.",
        ], [
        "The right cure is at the end that sends the chain: install the certificate together with its intermediates.",
        "Until then import the missing intermediate, or the root, where the chain is checked.",
        TRUST_STORE,
        TRUST_STORE_JAVA,
    ];
    /// RFC 5280 §6.1.
    UNTRUSTED_ISSUER = "UntrustedIssuer", Client, "the issuer is not trusted",
        "The chain is as it should be, and ends at an authority that the trust store of the end that checks it does not hold.",
        [
            "`PKIX path building failed` after a Certificate message whose chain ends in a self-signed root: proven, if the \
             chain is in order and no trust store in the log lists a root of that name.",
            "The same after a chain of several certificates without their root: likely, for one more intermediate may be missing.",
            "`anchored by a distrusted ...`: the JDK's own policy refuses the authority.",
        ], [
        "If the issuer is the right one, import its root certificate where the chain is checked; if not, find out who answers \
         there.",
        TRUST_STORE,
        TRUST_STORE_JAVA,
    ];
    /// A certificate that nobody but itself vouches for.
    SELF_SIGNED_CERTIFICATE = "SelfSignedCertificate", Client, "a self-signed certificate is not trusted",
        "The certificate is its own issuer, so it would have to be in the trust store itself, and is not.",
        [
            "`PKIX path building failed` after a Certificate message whose first certificate has the same subject and issuer.",
        ], [
        "Import this very certificate where it is checked, or replace it by one of a certificate authority.",
        TRUST_STORE,
        TRUST_STORE_JAVA,
    ];
    /// RFC 5280 §4.1.2.5.
    CERTIFICATE_EXPIRED = "CertificateExpired", Server, "a certificate has expired",
        "A certificate of the chain is past its period of validity by the clock of the end that checks it.",
        [
            "`CertificateExpiredException: NotAfter: ...` beneath `PKIX path validation failed`.",
            "`validity check failed` with the alert `certificate_expired`, or with dates in the chain that are past.",
        ], [
        "Renew the certificate at the end that sends it. An expired copy in a trust store has to be replaced there.",
        "webMethods: the key store alias of the port or call holds it (Administrator: Security > Keystore). \
         Do not rely on watt.security.ssl.ignoreExpiredChains.",
    ];
    /// RFC 5280 §4.1.2.5.
    CERTIFICATE_NOT_YET_VALID = "CertificateNotYetValid", Server, "a certificate is not valid yet",
        "A certificate of the chain begins to be valid later than the clock of the end that checks it says.",
        [
            "`CertificateNotYetValidException: NotBefore: ...`.",
        ], [
        "Compare the clocks of both ends first; then the date from which the certificate is valid.",
    ];
    /// RFC 5280 §5.
    CERTIFICATE_REVOKED = "CertificateRevoked", Server, "a certificate is revoked",
        "The issuer has withdrawn a certificate of the chain.",
        [
            "`CertificateRevokedException` or `Certificate has been revoked`.",
        ], [
        "Replace the certificate; its issuer has withdrawn it.",
    ];
    /// RFC 6960, RFC 5280 §6.3.
    REVOCATION_CHECK_FAILED = "RevocationCheckFailed", Client, "revocation could not be checked",
        "The JVM checks revocation and got no answer. Nothing says that the certificate is revoked.",
        [
            "`Could not determine revocation status`, `Certificate does not specify OCSP responder`, `OCSP response error` and \
             the like.",
        ], [
        "Let this JVM reach the OCSP responder or the revocation list that the certificate names, or its proxy.",
        "Java: com.sun.net.ssl.checkRevocation, ocsp.enable and com.sun.security.enableCRLDP switch the check.",
    ];
    /// RFC 2818 §3.1, RFC 6125.
    HOSTNAME_MISMATCH = "HostnameMismatch", Server, "the certificate is for another host",
        "The certificate is trusted, but names another host than the one that the client asked for.",
        [
            "`No subject alternative DNS name matching ... found`, `No name matching ... found`, `HTTPS hostname wrong` and the \
             like, at the client.",
        ], [
        "Address the server by a name in its certificate, or have it issued with this name as subjectAltName.",
        "webMethods: watt.net.ssl.client.hostnameverification is off unless set, so the check comes from the client library or \
         the service.",
    ];
    /// RFC 5280 §4.2.1.3, §4.2.1.12.
    KEY_USAGE = "KeyUsage", Server, "the certificate is not meant for this use",
        "The certificate's own extensions do not allow what it is used for.",
        [
            "`Extended key usage does not permit use for ...`, `KeyUsage does not allow ...`, `is not a CA certificate`, `name \
             constraints check failed`.",
        ], [
        "Use a certificate whose key usage allows this role (extended key usage serverAuth or clientAuth).",
        "webMethods: watt.security.ssl.keypurposeverification switches the check of the Integration Server; leave it on.",
    ];
    /// Keys and signatures that `jdk.certpath.disabledAlgorithms` refuses.
    WEAK_ALGORITHM = "WeakAlgorithm", Server, "an algorithm or key is too weak",
        "A key or signature is below what this JVM accepts.",
        [
            "`Algorithm constraints check failed`, `Certificates do not conform to algorithm constraints` and the like.",
            "`Could not generate DH keypair` and `Prime size must be multiple of 64`: Diffie-Hellman parameters that the JVM \
             refuses.",
        ], [
        "Replace the certificate or parameters by ones of today's strength: RSA of 2048 bits or more, SHA-256.",
        "Java: jdk.certpath.disabledAlgorithms and jdk.tls.disabledAlgorithms in java.security name what is refused and from \
         which size on.",
    ];
    /// RFC 8446 §4.4.2.4, RFC 5246 §7.4.6.
    CLIENT_CERTIFICATE_MISSING = "ClientCertificateMissing", Client, "a client certificate was asked for and none was sent",
        "The server asks for a client certificate and does not go on without; the client has none that fits, and sends an empty \
         list.",
        [
            "At the server: `Empty client certificate chain` (`Empty server certificate chain` in older versions) or `null cert \
             chain`.",
            "At the client: a CertificateRequest, an empty Certificate message, then the alert `bad_certificate` or \
             `certificate_required`.",
            "At the client: the same, then a connection that breaks; likely, for the alert got lost.",
        ], [
        "Give the client a key and a certificate issued by one of the authorities that the server names.",
        KEY_STORE,
        "webMethods: a server that names no authorities needs watt.security.ssl.client.ignoreEmptyAuthoritiesList looked at.",
        KEY_STORE_JAVA,
    ];
    /// RFC 8446 §6.2.
    CLIENT_CERTIFICATE_REJECTED = "ClientCertificateRejected", Client, "the server refuses the client certificate",
        "The client sent its certificate, and the server does not accept it.",
        [
            "At the client: a Certificate message that is not empty, then an alert on certificates such as `unknown_ca`, \
             `bad_certificate` or `certificate_unknown`.",
        ], [
        "Ask the other end which issuer and holder it accepts; its log tells why it refused.",
        KEY_STORE,
    ];
    /// RFC 8446 §6.2.
    PEER_REJECTED_CERTIFICATE = "PeerRejectedCertificate", Client, "the client refuses the server's certificate",
        "The client does not accept the server's certificate. The server learns only the alert.",
        [
            "At the server: an alert on certificates such as `certificate_unknown`, `unknown_ca`, `bad_certificate` after its \
             Certificate message.",
        ], [
        "Read the client's log: it alone knows why. Most often its trust store lacks the issuer, or this end does not send its \
         intermediates.",
        "webMethods: the port's key store alias must hold the whole chain (Administrator: Security > Ports, Security > Keystore).",
    ];
    /// RFC 6066 §3.
    SERVER_NAME_UNRECOGNIZED = "ServerNameUnrecognized", Both, "the server does not know the name that was asked for",
        "The client asks for a host by name (SNI) that the server does not serve.",
        [
            "At the server: `Unrecognized server name indication`.",
            "At the client: the alert `unrecognized_name`.",
        ], [
        "Address the server by a name that it serves, or add this name to its virtual hosts.",
        "Java: -Djsse.enableSNIExtension=false leaves the name out, for servers that refuse any.",
    ];
    /// The other end does not speak TLS on this port.
    NOT_TLS = "NotTls", Both, "the other end does not speak TLS",
        "What came in is no TLS record: the other end speaks plain text, or another protocol, on this port.",
        [
            "`Unsupported or unrecognized SSL message`, or `plaintext connection?`.",
        ], [
        "Look at port and scheme: an https client on a plain http port, a proxy that answers in clear, or STARTTLS left out.",
        "webMethods: the port's type (Administrator: Security > Ports), and watt.net.proxy settings for calls through a proxy.",
    ];
    /// `InvalidAlgorithmParameterException: the trustAnchors parameter must be non-empty`.
    TRUST_STORE_EMPTY = "TrustStoreEmpty", Client, "the trust store holds no certificate",
        "The trust store has no trusted certificate, so no chain at all can be checked.",
        [
            "`the trustAnchors parameter must be non-empty`.",
        ], [
        "Look at the trust store that this JVM reads: the file is missing, unreadable, empty, or holds private keys only.",
        "webMethods: the file behind the trust store alias (Administrator: Security > Keystore); DEFAULT_JVM_TRUSTSTORE is \
         jvm/jvm/lib/security/cacerts.",
        TRUST_STORE_JAVA,
    ];
    /// A store that cannot be read at all.
    TRUST_STORE_UNREADABLE = "TrustStoreUnreadable", Client, "the trust store cannot be read",
        "A key store or trust store could not be opened.",
        [
            "`Keystore was tampered with, or password was incorrect`, `keystore password was incorrect`, `Invalid keystore \
             format`.",
        ], [
        "Look at its path, type, rights and password.",
        TRUST_STORE_JAVA,
    ];
    /// RFC 8446 §6.1: a connection must not end without an alert.
    PEER_CLOSED_CONNECTION = "PeerClosedConnection", Unknown, "the other end closed the connection without a word",
        "The connection was closed in the middle of the handshake, without an alert that says why. Proven is the close; its \
         reason is in the other end's log.",
        [
            "`Remote host terminated the handshake`, `Remote host closed connection during handshake`, `SSL peer shut down \
             incorrectly`.",
            "Only possible where a closed socket is all that the log shows: this end's own code may have closed it.",
        ], [
        "Read the other end's log, and what lies between: firewalls, proxies and load balancers close what they do not like.",
        "If nothing but the ClientHello was sent, look at its versions, cipher suites and server name.",
    ];
    /// A TCP reset.
    CONNECTION_RESET = "ConnectionReset", Network, "the connection was reset",
        "TCP itself ended the connection. Proven is the reset; whether the other end or a device in between sent it, this end \
         cannot see.",
        [
            "`Connection reset`, `Broken pipe`, `forcibly closed by the remote host`.",
        ], [
        "Read the other end's log, and what lies between: firewalls, proxies, network policies, a process that died.",
    ];
    /// Nobody answered in time.
    HANDSHAKE_TIMEOUT = "HandshakeTimeout", Network, "the other end does not answer",
        "No answer came in the time that this end waits. Proven is the silence, not its reason.",
        [
            "`SocketTimeoutException: Read timed out` during a handshake.",
        ], [
        "Look for what swallows the packets: firewalls, network policies, a port that does not speak TLS, an overloaded server.",
        "webMethods: watt.net.ssl.server.clientHandshakeTimeout for inbound, watt.net.timeout for outbound calls.",
    ];
    /// RFC 8446 §5.1.
    MESSAGE_TOO_LARGE = "MessageTooLarge", Both, "a message is larger than this end accepts",
        "A message is larger, or a chain longer, than this JVM is told to accept.",
        [
            "`exceeds the maximum allowed size`, `exceeds the maximum allowed length`, `Record too large` and the like.",
        ], [
        "Java: jdk.tls.maxHandshakeMessageSize, jdk.tls.maxCertificateChainLength (and from 21 its client and server variants).",
        "A server that sends its whole trust store as acceptable authorities should send fewer.",
    ];
    /// RFC 5746.
    RENEGOTIATION_REFUSED = "RenegotiationRefused", Both, "renegotiation is refused",
        "One end wants to negotiate anew on an open connection, which the other does not allow.",
        [
            "`renegotiation is not allowed` and the like, or the alert `no_renegotiation`.",
        ], [
        "Ask for the client certificate in the first handshake, or update the end that cannot renegotiate securely (RFC 5746).",
    ];
    /// RFC 8446 §6.
    PEER_ALERT = "PeerAlert", Unknown, "the other end ended the handshake with an alert",
        "The other end ended the handshake with an alert that names no cause by itself. Proven is the alert, not its reason.",
        [
            "`Received fatal alert: handshake_failure`, `internal_error`, `decode_error` and others that no other cause explains.",
        ], [
        "Read the other end's log: it knows why it sent this alert.",
    ];
    /// An error that none of the other causes names.
    INTERNAL_ERROR = "InternalError", Unknown, "this end gave up with an error of its own",
        "This end gave up, with a text that none of the other causes explains.",
        [
            "A fatal error or an exception during the handshake; always only possible.",
        ], [
        "The exception in the evidence says what happened; search for its message.",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_complete_and_unique() {
        for cause in ALL {
            assert!(!cause.remedies.is_empty() && !cause.signs.is_empty(), "{}", cause.id);
            assert_eq!(
                ALL.iter().filter(|other| other.id == cause.id).count(),
                1,
                "{}",
                cause.id
            );
        }
    }
}
