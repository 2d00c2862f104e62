//! What a script reads out of a line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address in a reply to EPSV or PASV, or in an EPRT or PORT command. Names of hosts are not the peer's
/// business: EPSV means the address of the control connection.
pub(super) fn data_address(line: &[u8], peer: IpAddr) -> Option<SocketAddr> {
    let text = String::from_utf8_lossy(line);
    let (first, rest) = text.split_once(' ')?;
    match first.to_ascii_uppercase().as_str() {
        "229" => {
            let inner = rest.rsplit_once('(')?.1.split_once(')')?.0;
            let delimiter = inner.chars().next()?;
            Some(SocketAddr::new(
                peer,
                inner.split(delimiter).nth(3)?.parse().ok()?,
            ))
        }
        "227" | "PORT" => {
            let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits
                .find(|c: char| !c.is_ascii_digit() && c != ',')
                .unwrap_or(digits.len());
            let six: Vec<u8> = digits[..end]
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            let [a, b, c, d, high, low] = six.try_into().ok()?;
            Some((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into())
        }
        "EPRT" => {
            let delimiter = rest.chars().next()?;
            let parts: Vec<&str> = rest.split(delimiter).collect();
            Some(SocketAddr::new(
                parts.get(2)?.parse().ok()?,
                parts.get(3)?.parse().ok()?,
            ))
        }
        _ => None,
    }
}

/// Whether a line matches a pattern in which `*` stands for any bytes.
pub(super) fn matches(pattern: &[u8], line: &[u8]) -> bool {
    // The place to come back to: after the last star, with one more byte given to it.
    let (mut p, mut l, mut back) = (0, 0, None);
    while l < line.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p + 1, l));
            p += 1;
        } else if pattern.get(p) == Some(&line[l]) {
            p += 1;
            l += 1;
        } else if let Some((after, taken)) = back {
            p = after;
            l = taken + 1;
            back = Some((after, taken + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_anything_and_nothing() {
        for (pattern, line, expected) in [
            ("RETR *", "RETR a b", true),
            ("RETR *", "RETR ", true),
            ("RETR *", "RETR", false),
            ("*", "", true),
            ("a*b*c", "aXbbYc", true),
            ("a*b*c", "aXbbY", false),
            ("NOOP", "NOOP", true),
            ("NOOP", "NOOP ", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), line.as_bytes()),
                expected,
                "{pattern:?} {line:?}"
            );
        }
    }

    #[test]
    fn data_addresses_are_found_in_every_form() {
        let peer: IpAddr = "127.0.0.9".parse().unwrap();
        for (line, expected) in [
            (
                "229 Entering Extended Passive Mode (|||4711|)",
                Some("127.0.0.9:4711"),
            ),
            (
                "227 Entering Passive Mode (127,0,0,1,18,103).",
                Some("127.0.0.1:4711"),
            ),
            ("PORT 127,0,0,1,18,103", Some("127.0.0.1:4711")),
            ("EPRT |2|::1|4711|", Some("[::1]:4711")),
            ("EPRT |1|127.0.0.1|4711|", Some("127.0.0.1:4711")),
            ("227 none", None),
            ("200 fine", None),
        ] {
            let found = data_address(line.as_bytes(), peer).map(|addr| addr.to_string());
            assert_eq!(found.as_deref(), expected, "{line:?}");
        }
    }
}
