//! What the lines of a block say.

use crate::log::payload::keep_authority;
use crate::log::{ClientHello, Names, ServerHello};

/// A line of a ClientHello; answers whether it is worth showing as evidence.
pub(super) fn client_hello(text: &str, hello: &mut ClientHello) -> bool {
    if let Some(random) = text.strip_prefix("RandomCookie:") {
        hello.random = random_hex(random);
    } else if let Some(id) = text.strip_prefix("Session ID:") {
        hello.session_id = bytes_hex(id);
    } else if let Some(suites) = text.strip_prefix("Cipher Suites: ") {
        hello.cipher_suites = if suites.contains(UNKNOWN_TLS13) {
            let suites = Names::of(suites.as_bytes());
            suites.iter().map(|suite| tls13_suite(suite).unwrap_or(suite)).collect()
        } else {
            Names::of(suites.as_bytes())
        };
        return true;
    } else if let Some(extension) = text.strip_prefix("Extension ") {
        if let Some(names) = extension.strip_prefix("server_name, server_name: ") {
            let host = names
                .split_once("value=")
                .or_else(|| names.split_once("host_name: "))
                .map(|(_, host)| host);
            hello.server_name = host.map(|host| host.split([',', ']']).next().unwrap_or(host).trim().to_owned());
            return true;
        } else if let Some(groups) = extension.strip_prefix("elliptic_curves, curve names: ") {
            hello.groups = Names::of(groups.trim_matches(['{', '}']).as_bytes());
        } else if let Some(schemes) = extension.strip_prefix("signature_algorithms, signature_algorithms: ") {
            hello.signature_algorithms = Names::of(schemes.as_bytes());
        } else if let Some(names) = extension.strip_prefix("application_layer_protocol_negotiation, protocol names: ") {
            hello.application_protocols = Names::of(names.replace("][", ",").as_bytes());
            return true;
        }
    } else if let Some(versions) = text.strip_prefix("Unsupported extension type_43, data: ") {
        hello.versions = supported_versions(versions);
        return true;
    }
    false
}

/// How cipher suites of TLS 1.3 are printed by JVMs that do not know it, without the last byte of their number.
const UNKNOWN_TLS13: &str = "Unknown 0x13:0x";

/// The name of a cipher suite of TLS 1.3 (RFC 8446 §B.4).
fn tls13_suite(printed: &str) -> Option<&'static str> {
    Some(match printed.strip_prefix(UNKNOWN_TLS13)? {
        "1" => "TLS_AES_128_GCM_SHA256",
        "2" => "TLS_AES_256_GCM_SHA384",
        "3" => "TLS_CHACHA20_POLY1305_SHA256",
        "4" => "TLS_AES_128_CCM_SHA256",
        "5" => "TLS_AES_128_CCM_8_SHA256",
        _ => return None,
    })
}

/// The versions of `04:03:04:03:03`: after a byte for the length two bytes each (RFC 8446 §4.2.1).
fn supported_versions(data: &str) -> Names {
    let bytes: Vec<&str> = data.trim().split(':').skip(1).collect();
    let version = |pair: &[&str]| {
        Some(match pair {
            ["03", "04"] => "TLSv1.3",
            ["03", "03"] => "TLSv1.2",
            ["03", "02"] => "TLSv1.1",
            ["03", "01"] => "TLSv1",
            _ => return None,
        })
    };
    bytes.chunks(2).filter_map(version).collect()
}

/// A line of a ServerHello; answers whether it is worth showing as evidence.
pub(super) fn server_hello(text: &str, hello: &mut ServerHello) -> bool {
    if let Some(random) = text.strip_prefix("RandomCookie:") {
        hello.clock = clock(random);
    } else if let Some(id) = text.strip_prefix("Session ID:") {
        hello.session_id = bytes_hex(id);
    } else if let Some(suite) = text.strip_prefix("Cipher Suite: ") {
        suite.trim().clone_into(&mut hello.cipher_suite);
        return true;
    }
    false
}

/// A line of a CertificateRequest; answers whether it is worth showing as evidence.
pub(super) fn request(text: &str, authorities: &mut Vec<String>, within: &mut bool) -> bool {
    if text.starts_with("Cert Authorities:") {
        *within = true;
        return true;
    }
    if *within
        && let Some(name) = text
            .strip_prefix('<')
            .and_then(|name| name.trim_end().strip_suffix('>'))
        && name != "Empty"
    {
        return keep_authority(authorities, name);
    }
    false
}

/// The random of `GMT: 1795445472 bytes = { 177, 168, … }`: the time of [`clock`], then the rest.
fn random_hex(text: &str) -> String {
    // What another thread has broken off is no random.
    let whole = text.trim_end().ends_with('}');
    let Some((_, bytes)) = text.split_once("bytes =").filter(|_| whole) else {
        return String::new();
    };
    format!("{:08x}{}", clock(text).unwrap_or_default(), bytes_hex(bytes))
}

/// The time of a random: its first four bytes. `sun.security.ssl.RandomCookie` prints their sum, each shifted to its place and
/// each with its sign.
fn clock(text: &str) -> Option<i64> {
    let (time, _) = text.trim_start().strip_prefix("GMT:")?.split_once("bytes")?;
    let mut sum = time.trim().parse::<i32>().ok()?;
    let mut bytes = [0; 4];
    for byte in bytes.iter_mut().rev() {
        *byte = sum.to_le_bytes()[0];
        sum = sum.wrapping_sub(i32::from(byte.cast_signed())) >> 8;
    }
    Some(u32::from_be_bytes(bytes).into())
}

/// The bytes of `{ 177, 168 }` in lower-case hex.
fn bytes_hex(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = String::with_capacity(64);
    let mut number: Option<usize> = None;
    for byte in text.bytes().take(64 * 5) {
        if byte.is_ascii_digit() {
            number = Some(number.unwrap_or_default() * 10 % 1000 + usize::from(byte - b'0'));
        } else if let Some(number) = number.take().filter(|number| *number < 256) {
            hex.push(char::from(DIGITS[number >> 4]));
            hex.push(char::from(DIGITS[number & 15]));
        }
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_of_tls13_offers() {
        let mut hello = ClientHello::default();
        client_hello(
            "Cipher Suites: [Unknown 0x13:0x2, TLS_RSA_WITH_AES_128_CBC_SHA]",
            &mut hello,
        );
        client_hello("Unsupported extension type_43, data: 04:03:04:03:03", &mut hello);
        assert_eq!(
            hello.offered_suites().collect::<Vec<_>>(),
            ["TLS_AES_256_GCM_SHA384", "TLS_RSA_WITH_AES_128_CBC_SHA"]
        );
        assert_eq!(hello.offered_versions(), ["TLSv1.3", "TLSv1.2"]);
    }

    #[test]
    fn the_first_bytes_of_a_random_are_printed_as_a_sum_of_signed_bytes() {
        // What the client's log has in hex of the same ClientHellos.
        assert_eq!(random_hex("  GMT: -1067800983 bytes = { 27, 178 }"), "c05ba6691bb2");
        assert_eq!(random_hex("  GMT: 1795714961 bytes = { 242, 17 }"), "6b087091f211");
        assert_eq!(random_hex("  GMT: 1 bytes = { 1, "), "");
        assert_eq!(random_hex("  GMT: 1 bytes = { 1, 255 }"), "0000000101ff");
    }
}
