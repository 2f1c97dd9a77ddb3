//! What the lines of a block say.

use super::threaded::split_thread;
use crate::log::hello::list;
use crate::log::{ClientHello, ServerHello};

/// Names of certificate authorities kept of one CertificateRequest.
const KEPT_AUTHORITIES: usize = 64;

/// A line of a ClientHello; answers whether it is worth showing as evidence.
pub(super) fn client_hello(text: &str, hello: &mut ClientHello) -> bool {
    if let Some(random) = text.strip_prefix("RandomCookie:") {
        hello.random = random_hex(random);
    } else if let Some(id) = text.strip_prefix("Session ID:") {
        hello.session_id = bytes_hex(id);
    } else if let Some(suites) = text.strip_prefix("Cipher Suites: ") {
        hello.cipher_suites = list(suites);
        for suite in &mut hello.cipher_suites {
            if let Some(known) = tls13_suite(suite) {
                known.clone_into(suite);
            }
        }
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
            hello.groups = list(groups.trim_matches(['{', '}']));
        } else if let Some(schemes) = extension.strip_prefix("signature_algorithms, signature_algorithms: ") {
            hello.signature_algorithms = list(schemes);
        } else if let Some(names) = extension.strip_prefix("application_layer_protocol_negotiation, protocol names: ") {
            hello.application_protocols = names.split("][").flat_map(list).collect();
            return true;
        }
    } else if let Some(versions) = text.strip_prefix("Unsupported extension type_43, data: ") {
        hello.versions = supported_versions(versions);
        return true;
    }
    false
}

/// The name of a cipher suite of TLS 1.3 (RFC 8446 §B.4), which JVMs before 8u272 print as `Unknown 0x13:0x1`.
fn tls13_suite(printed: &str) -> Option<&'static str> {
    Some(match printed.strip_prefix("Unknown 0x13:0x")? {
        "1" => "TLS_AES_128_GCM_SHA256",
        "2" => "TLS_AES_256_GCM_SHA384",
        "3" => "TLS_CHACHA20_POLY1305_SHA256",
        "4" => "TLS_AES_128_CCM_SHA256",
        "5" => "TLS_AES_128_CCM_8_SHA256",
        _ => return None,
    })
}

/// The versions of `04:03:04:03:03`: after a byte for the length two bytes each (RFC 8446 §4.2.1).
fn supported_versions(data: &str) -> Vec<String> {
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
    bytes.chunks(2).filter_map(version).map(str::to_owned).collect()
}

/// A line of a ServerHello; answers whether it is worth showing as evidence.
pub(super) fn server_hello(text: &str, hello: &mut ServerHello) -> bool {
    if let Some(random) = text.strip_prefix("RandomCookie:") {
        hello.random = random_hex(random);
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
        && authorities.len() < KEPT_AUTHORITIES
    {
        authorities.push(name.to_owned());
        return true;
    }
    false
}

/// The random of `GMT: 1795445472 bytes = { 177, 168, … }`: four bytes of time, then the rest.
fn random_hex(text: &str) -> String {
    // What another thread has broken off is no random.
    let Some((time, bytes)) = text.split_once("bytes =").filter(|_| text.trim_end().ends_with('}')) else {
        return String::new();
    };
    let time = time
        .trim()
        .trim_start_matches("GMT:")
        .trim()
        .parse::<i64>()
        .unwrap_or_default();
    // The time is printed as a signed int.
    format!("{:08x}{}", time & 0xffff_ffff, bytes_hex(bytes))
}

/// The bytes of `{ 177, 168 }` in lower-case hex.
fn bytes_hex(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in text.trim().trim_matches(['{', '}']).split(',').take(64) {
        if let Ok(byte) = byte.trim_ascii().parse::<u8>() {
            for digit in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(digit.into(), 16));
            }
        }
    }
    hex
}

/// Where another thread's line begins within a list of bytes or a row of a dump: both are printed byte by byte.
pub(super) fn broken_off(line: &[u8]) -> Option<usize> {
    match line.first()? {
        b'R' | b'v' | b'S' => list_broken_off(line),
        b'0'..=b'9' | b'A'..=b'F' | b'a'..=b'f' => dump_broken_off(line),
        _ => None,
    }
}

fn list_broken_off(line: &[u8]) -> Option<usize> {
    let listed = [&b"RandomCookie:"[..], b"verify_data:", b"Session ID:"];
    if !listed.iter().any(|name| line.starts_with(name)) {
        return None;
    }
    let open = memchr::memchr(b'{', line)?;
    let bytes = line[open + 1..]
        .iter()
        .take_while(|byte| matches!(byte, b'0'..=b'9' | b',' | b' '))
        .count();
    let end = open + 1 + bytes;
    line.get(end).is_some_and(|byte| *byte != b'}').then_some(end)
}

/// `0000: 47 45 ` and then something else than bytes or what they are as text.
fn dump_broken_off(line: &[u8]) -> Option<usize> {
    let (offset, rest) = line.split_at_checked(4)?;
    if !offset.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pairs = rest.strip_prefix(b": ").unwrap_or(rest);
    let row = if pairs.len() == rest.len() {
        rest
    } else {
        let bytes = pairs.chunks_exact(3);
        let count = bytes
            .take_while(|pair| pair[0].is_ascii_hexdigit() && pair[1].is_ascii_hexdigit() && pair[2] == b' ')
            .count();
        &pairs[3 * count..]
    };
    let begins = row.starts_with(b"*** ") || row.starts_with(b"%% ") || split_thread(row).is_some();
    (begins && !row.starts_with(b" ")).then(|| line.len() - row.len())
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
            hello.cipher_suites,
            ["TLS_AES_256_GCM_SHA384", "TLS_RSA_WITH_AES_128_CBC_SHA"]
        );
        assert_eq!(hello.offered_versions(), ["TLSv1.3", "TLSv1.2"]);
    }

    #[test]
    fn a_list_that_another_thread_breaks_off() {
        let line = b"verify_data:  { 207, 5, cli-0, WRITE: TLSv1.2 Application Data, length = 144";
        assert_eq!(broken_off(line).map(|at| &line[at..at + 6]), Some(&b"cli-0,"[..]));
        assert_eq!(broken_off(b"RandomCookie:  GMT: 1 bytes = { 1, 2 }"), None);
        assert_eq!(broken_off(b"Session ID:  {}"), None);
        assert_eq!(broken_off(b"0000*** Finished"), Some(4));
        assert_eq!(
            broken_off(b"0010: 03 AB cli-0, READ: TLSv1.2 Alert, length = 2"),
            Some(12)
        );
        assert_eq!(
            broken_off(b"0000: 47 45 54 20 2F 73 65 63   72 65 74 2D 70 61 74 68  GET /secret-path"),
            None
        );
        assert_eq!(random_hex("  GMT: 1 bytes = { 1, "), "");
        assert_eq!(random_hex("  GMT: 1 bytes = { 1, 255 }"), "0000000101ff");
    }
}
