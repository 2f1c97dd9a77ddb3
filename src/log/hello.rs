//! ClientHello and ServerHello as the layout of 8u272 and later prints them, line by line.

use super::certificate::quoted;
use super::{ClientHello, ServerHello};

/// A list longer than this is cut: JSSE knows some ninety cipher suites.
const KEPT: usize = 200;

/// The extension whose lines are being read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Extension {
    #[default]
    Other,
    ServerName,
    SupportedVersions,
    SupportedGroups,
    SignatureAlgorithms,
    ApplicationProtocols,
}

/// Reads the payload of a hello.
#[derive(Debug, Clone, Default)]
pub(super) struct Hello {
    pub(super) client: ClientHello,
    pub(super) server: ServerHello,
    /// The body begins with `"HelloRetryRequest"`.
    pub(super) retry: bool,
    extension: Extension,
}

impl Hello {
    /// Takes a payload line; answers whether it is worth showing as evidence.
    pub(super) fn line(&mut self, line: &str) -> bool {
        let text = line.trim();
        if let Some(rest) = text.strip_prefix('"')
            && let Some((key, value)) = rest.split_once('"')
        {
            return self.key(key, value);
        }
        if let Some(host) = text.split_once("type=host_name (0), value=").map(|(_, host)| host) {
            if self.extension == Extension::ServerName {
                self.client.server_name = Some(host.trim_end_matches(',').trim().to_owned());
                return true;
            }
        } else if self.extension == Extension::ApplicationProtocols && text.starts_with('[') {
            self.client.application_protocols = list(text);
            return true;
        }
        false
    }

    fn key(&mut self, key: &str, value: &str) -> bool {
        if let Some(name) = extension(key) {
            self.extension = name;
            return false;
        }
        match key {
            "HelloRetryRequest" => self.retry = true,
            "client version" => quoted(value).clone_into(&mut self.client.version),
            "server version" => quoted(value).clone_into(&mut self.server.version),
            "selected version" => {
                if let Some(version) = list(value).pop() {
                    self.server.version = version;
                }
            }
            "random" => self.client.random = digits(value),
            "session id" => {
                self.client.session_id = digits(value);
                self.client.session_id.clone_into(&mut self.server.session_id);
            }
            "cipher suites" => {
                self.client.cipher_suites = list(quoted(value));
                return true;
            }
            "cipher suite" => {
                bare(quoted(value)).clone_into(&mut self.server.cipher_suite);
                return true;
            }
            // The list of groups is called "versions" up to 17 and in 25 still; later "named groups".
            "versions" | "named groups" => match self.extension {
                Extension::SupportedVersions => {
                    self.client.versions = list(value);
                    return true;
                }
                Extension::SupportedGroups => {
                    self.client.groups = list(value);
                    return true;
                }
                _ => {}
            },
            "signature schemes" if self.extension == Extension::SignatureAlgorithms => {
                self.client.signature_algorithms = list(value);
            }
            _ => {}
        }
        false
    }
}

/// The extension of a key such as `supported_groups (10)`.
fn extension(key: &str) -> Option<Extension> {
    let (name, number) = key.split_once(" (")?;
    number.strip_suffix(')')?;
    Some(match name {
        "server_name" => Extension::ServerName,
        "supported_versions" => Extension::SupportedVersions,
        "supported_groups" => Extension::SupportedGroups,
        "signature_algorithms" => Extension::SignatureAlgorithms,
        "application_layer_protocol_negotiation" => Extension::ApplicationProtocols,
        _ => Extension::Other,
    })
}

/// The items of `: [A(0x1302), B]`, without their numbers.
pub(super) fn list(text: &str) -> Vec<String> {
    let text = text.trim_start().trim_start_matches(':').trim();
    let text = text.strip_suffix(',').unwrap_or(text);
    let text = text.strip_prefix('[').unwrap_or(text);
    let text = text.strip_suffix(']').unwrap_or(text);
    text.split(',')
        .map(|item| bare(item.trim()).to_owned())
        .filter(|item| !item.is_empty())
        .take(KEPT)
        .collect()
}

/// A name without the number in parentheses behind it.
fn bare(name: &str) -> &str {
    name.split_once('(').map_or(name, |(name, _)| name).trim()
}

/// The hex digits of a value in lower case; leading zeros count in a random.
fn digits(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_hexdigit)
        .take(128)
        .map(|digit| digit.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_hello_offers() {
        let mut hello = Hello::default();
        for line in r#"
"ClientHello": {
  "client version"      : "TLSv1.2",
  "random"              : "4F 07 F4",
  "session id"          : "",
  "cipher suites"       : "[TLS_AES_256_GCM_SHA384(0x1302), TLS_EMPTY_RENEGOTIATION_INFO_SCSV(0x00FF)]",
  "extensions"          : [
    "server_name (0)": {
      type=host_name (0), value=a.example.com
    },
    "supported_groups (10)": {
      "versions": [x25519, secp256r1]
    },
    "application_layer_protocol_negotiation (16)": {
      [h2, http/1.1]
    },
    "supported_versions (43)": {
      "versions": [TLSv1.3, TLSv1.2]
    },
  ]"#
        .lines()
        {
            hello.line(line);
        }
        assert_eq!(hello.client.random, "4f07f4");
        assert_eq!(hello.client.offered_versions(), ["TLSv1.3", "TLSv1.2"]);
        assert_eq!(
            hello.client.offered_suites().collect::<Vec<_>>(),
            ["TLS_AES_256_GCM_SHA384"]
        );
        assert_eq!(hello.client.groups, ["x25519", "secp256r1"]);
        assert_eq!(hello.client.server_name.as_deref(), Some("a.example.com"));
        assert_eq!(hello.client.application_protocols, ["h2", "http/1.1"]);
    }

    #[test]
    fn what_a_server_hello_selects() {
        let mut hello = Hello::default();
        for line in [
            "\"server version\" : \"TLSv1.2\",",
            "\"cipher suite\" : \"A(0x1302)\",",
            "\"selected version\": [TLSv1.3]",
        ] {
            hello.line(line);
        }
        assert_eq!(hello.server.version, "TLSv1.3");
        assert_eq!(hello.server.cipher_suite, "A");
    }
}
