// A log with a known truth: so many handshakes of one JVM, written the way JSSE writes them from JDK 11 on.

const ZONE = "GMT";

function record(level, thread, time, caller, message, payload) {
  const clock = new Date(time).toISOString().replace("T", " ").replace("Z", "");
  const head = `javax.net.ssl|${level}|${thread.toString(16).padStart(2, "0")}|pool-${thread}|${clock} ${ZONE}|${caller}|${message}`;
  return payload ? `${head} (\n${payload}\n)\n` : `${head}\n`;
}

const certificate = (subject, issuer) => `"certificate" : {
  "version"            : "v3",
  "serial number"      : "0A 0B",
  "issuer"             : "${issuer}",
  "not before"         : "2026-01-01 00:00:00.000 GMT",
  "not  after"         : "2027-01-01 00:00:00.000 GMT",
  "subject"            : "${subject}",
  "extensions"         : [
  ]}`;

// The numbers say what handshake `index` is: every 10th fails, of these every other for a missing intermediate and the rest by
// the peer's alert; every 50th has no answer.
export const kindOf = (index) => (index % 50 === 7 ? "open" : index % 20 === 0 ? "intermediate" : index % 20 === 10 ? "alert" : "good");
export const hostOf = (index) => `host-${index % 12}.example`;
export const START = Date.UTC(2026, 10, 24, 9, 0, 0);
export const STEP = 250;

export function handshake(index) {
  const kind = kindOf(index);
  const thread = 16 + (index % 8);
  const host = hostOf(index);
  let time = START + index * STEP;
  const say = (level, caller, message, payload) => record(level, thread, (time += 3), caller, message, payload);
  let log = say("DEBUG", "ClientHello.java:653", "Produced ClientHello handshake message", `"ClientHello": {
  "client version"      : "TLSv1.2",
  "random"              : "${index.toString(16).padStart(64, "0")}",
  "session id"          : "",
  "cipher suites"       : "[TLS_AES_256_GCM_SHA384(0x1302), TLS_AES_128_GCM_SHA256(0x1301), TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384(0xC030)]",
  "extensions"          : [
    "server_name (0)": {
      type=host_name (0), value=${host}
    },
    "supported_versions (43)": {
      "versions": [TLSv1.3, TLSv1.2]
    },
  ]
}`);
  if (kind === "open") return log;
  if (kind === "alert") {
    log += say("DEBUG", "Alert.java:232", "Received alert message", `"Alert": {
  "level"      : "fatal",
  "description": "handshake_failure"
}`);
    return log + say("ERROR", "TransportContext.java:313", "Fatal (HANDSHAKE_FAILURE): Received fatal alert: handshake_failure",
      `"throwable" : {\n  javax.net.ssl.SSLHandshakeException: Received fatal alert: handshake_failure}\n`);
  }
  log += say("DEBUG", "ServerHello.java:867", "Consuming ServerHello handshake message", `"ServerHello": {
  "server version"      : "TLSv1.2",
  "session id"          : "",
  "cipher suite"        : "TLS_AES_256_GCM_SHA384(0x1302)",
  "extensions"          : [
    "supported_versions (43)": {
      "selected version": [TLSv1.3]
    },
  ]
}`);
  log += say("DEBUG", "CertificateMessage.java:1148", "Consuming server Certificate handshake message", `"Certificate": {\n${certificate(`CN=${host}, O=Example`, "CN=Example Issuing G2, O=Example")}\n}`);
  if (kind === "intermediate") {
    const text = "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target";
    return log + say("ERROR", "TransportContext.java:313", `Fatal (CERTIFICATE_UNKNOWN): ${text}`, `"throwable" : {\n  sun.security.validator.ValidatorException: ${text}}\n`);
  }
  log += say("DEBUG", "Finished.java:898", "Consuming server Finished handshake message");
  return log + say("DEBUG", "Finished.java:673", "Produced client Finished handshake message");
}

export function log(count) {
  let text = "";
  for (let index = 0; index < count; index += 1) text += handshake(index);
  return text;
}

export function truth(count) {
  const counts = { good: 0, intermediate: 0, alert: 0, open: 0 };
  for (let index = 0; index < count; index += 1) counts[kindOf(index)] += 1;
  return counts;
}
