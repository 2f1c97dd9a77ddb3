//! ClientHello and ServerHello as the layout of 8u272 and later prints them, line by line.

use memchr::memchr;

use super::certificate::{hex_digits, quoted, quoted_bytes};
use super::text::{text, without_indent};
use super::{ClientHello, Names, ServerHello};

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
    pub(super) fn line(&mut self, line: &[u8]) -> bool {
        let line = without_indent(line);
        match line.first() {
            Some(b'"') => {
                let Some(end) = memchr(b'"', &line[1..]) else {
                    return false;
                };
                self.key(&line[1..=end], &line[end + 2..])
            }
            Some(b't') if self.extension == Extension::ServerName => {
                let Some(host) = line.strip_prefix(b"type=host_name (0), value=") else {
                    return false;
                };
                self.client.server_name = Some(text(host).trim_end_matches(',').trim().to_owned());
                true
            }
            Some(b'[') if self.extension == Extension::ApplicationProtocols => {
                self.client.application_protocols = names(line);
                true
            }
            _ => false,
        }
    }

    fn key(&mut self, key: &[u8], value: &[u8]) -> bool {
        if let Some(name) = extension(key) {
            self.extension = name;
            return false;
        }
        match key {
            b"HelloRetryRequest" => self.retry = true,
            b"client version" => self.client.version = quoted(value).into_owned(),
            b"server version" => self.server.version = quoted(value).into_owned(),
            b"selected version" => {
                if let Some(version) = names(value).iter().last() {
                    version.clone_into(&mut self.server.version);
                }
            }
            b"random" => self.client.random = hex_digits(quoted_bytes(value)),
            b"session id" => {
                self.client.session_id = hex_digits(quoted_bytes(value));
                self.client.session_id.clone_into(&mut self.server.session_id);
            }
            b"cipher suites" => {
                self.client.cipher_suites = Names::of(quoted_bytes(value));
                return true;
            }
            b"cipher suite" => {
                bare(&quoted(value)).clone_into(&mut self.server.cipher_suite);
                return true;
            }
            // The list of groups is called "versions" up to 17 and in 25 still; later "named groups".
            b"versions" | b"named groups" => match self.extension {
                Extension::SupportedVersions => {
                    self.client.versions = names(value);
                    return true;
                }
                Extension::SupportedGroups => {
                    self.client.groups = names(value);
                    return true;
                }
                _ => {}
            },
            b"signature schemes" if self.extension == Extension::SignatureAlgorithms => {
                self.client.signature_algorithms = names(value);
            }
            _ => {}
        }
        false
    }
}

/// The extension of a key such as `supported_groups (10)`.
fn extension(key: &[u8]) -> Option<Extension> {
    let name = &key[..memchr(b'(', key.strip_suffix(b")")?)?];
    Some(match name {
        b"server_name " => Extension::ServerName,
        b"supported_versions " => Extension::SupportedVersions,
        b"supported_groups " => Extension::SupportedGroups,
        b"signature_algorithms " => Extension::SignatureAlgorithms,
        b"application_layer_protocol_negotiation " => Extension::ApplicationProtocols,
        _ => Extension::Other,
    })
}

/// The names of a value `: [A(0x1302), B],`.
fn names(value: &[u8]) -> Names {
    Names::of(quoted_bytes(value))
}

/// A name without the number in parentheses behind it.
fn bare(name: &str) -> &str {
    memchr(b'(', name.as_bytes())
        .map_or(name, |end| &name[..end])
        .trim_ascii()
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
            hello.line(line.as_bytes());
        }
        assert_eq!(hello.client.random, "4f07f4");
        assert_eq!(hello.client.offered_versions(), ["TLSv1.3", "TLSv1.2"]);
        assert_eq!(
            hello.client.offered_suites().collect::<Vec<_>>(),
            ["TLS_AES_256_GCM_SHA384"]
        );
        assert_eq!(hello.client.groups.iter().collect::<Vec<_>>(), ["x25519", "secp256r1"]);
        assert_eq!(hello.client.server_name.as_deref(), Some("a.example.com"));
        assert_eq!(
            hello.client.application_protocols.iter().collect::<Vec<_>>(),
            ["h2", "http/1.1"]
        );
    }

    #[test]
    fn what_a_server_hello_selects() {
        let mut hello = Hello::default();
        for line in [
            "\"server version\" : \"TLSv1.2\",",
            "\"cipher suite\" : \"A(0x1302)\",",
            "\"selected version\": [TLSv1.3]",
        ] {
            hello.line(line.as_bytes());
        }
        assert_eq!(hello.server.version, "TLSv1.3");
        assert_eq!(hello.server.cipher_suite, "A");
    }
}
