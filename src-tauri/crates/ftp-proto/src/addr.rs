use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use crate::escape;

/// A reply or an argument without a usable address in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddrError {
    /// Nothing in it has the form of an address.
    #[error("\"{text}\" has no {what}")]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// The text, escaped and cut.
        text: String,
    },
    /// One of the numbers is too large, or the port is 0.
    #[error("\"{text}\" has {what} out of range")]
    OutOfRange {
        /// Which number it is.
        what: &'static str,
        /// The text, escaped and cut.
        text: String,
    },
    /// A network protocol other than 1 (IPv4) and 2 (IPv6): a server answers it with 522 (RFC 2428 section 2).
    #[error("\"{text}\" asks for the unknown network protocol {protocol}")]
    Protocol {
        /// The protocol as it was written.
        protocol: String,
        /// The text, escaped and cut.
        text: String,
    },
}

impl AddrError {
    fn missing(what: &'static str, text: &[u8]) -> Self {
        Self::Missing {
            what,
            text: escape(text, 200),
        }
    }

    fn range(what: &'static str, text: &[u8]) -> Self {
        Self::OutOfRange {
            what,
            text: escape(text, 200),
        }
    }
}

/// Finds the address in a reply to PASV: six numbers with commas between, wherever they stand and whatever
/// brackets are around them, since no form was ever laid down (RFC 1123 section 4.1.2.6).
///
/// Whether that address can be believed is the caller's question.
///
/// # Errors
/// No group of exactly six numbers, a number above 255, or port 0.
pub fn parse_pasv(text: &[u8]) -> Result<SocketAddrV4, AddrError> {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let (numbers, count, end) = comma_run(text, at);
        if count == 6 {
            return six(numbers, text);
        }
        at = end;
    }
    Err(AddrError::missing("six numbers with commas between", text))
}

/// Writes the address of a reply to PASV, and the argument of PORT: `h1,h2,h3,h4,p1,p2` (RFC 959 section 4.1.2).
#[must_use]
pub fn format_pasv(addr: SocketAddrV4) -> String {
    let [a, b, c, d] = addr.ip().octets();
    let [high, low] = addr.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// Finds the port in a reply to EPSV: `(|||port|)` with any delimiter but a digit, with or without the brackets. The last
/// one counts, since text before it may have bars of its own (RFC 2428 section 3).
///
/// # Errors
/// No such form, or a port outside of 1 to 65535.
pub fn parse_epsv(text: &[u8]) -> Result<u16, AddrError> {
    let mut found = None;
    for (at, window) in text.windows(4).enumerate() {
        let mark = window[0];
        let delimiter = mark.is_ascii_graphic() && !mark.is_ascii_digit();
        if !delimiter || window[1] != mark || window[2] != mark || !window[3].is_ascii_digit() {
            continue;
        }
        let (port, end) = decimal(text, at + 3);
        if text.get(end) == Some(&mark) {
            found = Some(port);
        }
    }
    match found {
        None => Err(AddrError::missing("port of the form (|||port|)", text)),
        Some(port) => to_port(port, text),
    }
}

/// Writes the address of a reply to EPSV: `(|||port|)` (RFC 2428 section 3).
#[must_use]
pub fn format_epsv(port: u16) -> String {
    format!("(|||{port}|)")
}

/// Reads the argument of PORT: six numbers and nothing else (RFC 959 section 4.1.2).
///
/// # Errors
/// Any other form, a number above 255, or port 0.
pub fn parse_port(text: &[u8]) -> Result<SocketAddrV4, AddrError> {
    let what = "six numbers with commas between";
    let trimmed = text.trim_ascii();
    if !trimmed.first().is_some_and(u8::is_ascii_digit) {
        return Err(AddrError::missing(what, text));
    }
    match comma_run(trimmed, 0) {
        (numbers, 6, end) if end == trimmed.len() => six(numbers, text),
        _ => Err(AddrError::missing(what, text)),
    }
}

/// Writes the argument of PORT.
#[must_use]
pub fn format_port(addr: SocketAddrV4) -> String {
    format_pasv(addr)
}

/// Reads the argument of EPRT: `|1|address|port|` or `|2|address|port|` with any delimiter (RFC 2428 section 2).
///
/// # Errors
/// Any other form, another protocol, an address that isn't of that protocol, or a port outside of 1 to 65535.
pub fn parse_eprt(text: &[u8]) -> Result<SocketAddr, AddrError> {
    let missing = || AddrError::missing("address of the form |protocol|address|port|", text);
    let trimmed = text.trim_ascii();
    let mark = *trimmed.first().ok_or_else(missing)?;
    if !mark.is_ascii_graphic() || trimmed.len() > 200 {
        return Err(missing());
    }
    let parts: Vec<&[u8]> = trimmed.split(|byte| *byte == mark).collect();
    let [[], protocol, host, port, []] = parts[..] else {
        return Err(missing());
    };
    let host = std::str::from_utf8(host).map_err(|_| missing())?;
    let ip = match protocol {
        b"1" => host.parse::<Ipv4Addr>().map(IpAddr::V4),
        b"2" => host.parse::<Ipv6Addr>().map(IpAddr::V6),
        _ if !protocol.is_empty() && protocol.iter().all(u8::is_ascii_digit) => {
            return Err(AddrError::Protocol {
                protocol: escape(protocol, 20),
                text: escape(text, 200),
            });
        }
        _ => return Err(missing()),
    }
    .map_err(|_| missing())?;
    match decimal(port, 0) {
        (_, 0) => Err(missing()),
        (number, end) if end == port.len() => {
            to_port(number, text).map(|port| SocketAddr::new(ip, port))
        }
        _ => Err(missing()),
    }
}

/// Writes the argument of EPRT: `|1|address|port|` for IPv4, `|2|address|port|` for IPv6, without a scope.
#[must_use]
pub fn format_eprt(addr: SocketAddr) -> String {
    let protocol = if addr.is_ipv4() { 1 } else { 2 };
    format!("|{protocol}|{}|{}|", addr.ip(), addr.port())
}

/// The numbers with commas (and blanks beside them) from `at` on, the first six of them, how many there are, and where they end.
fn comma_run(text: &[u8], mut at: usize) -> ([u32; 6], usize, usize) {
    let mut numbers = [0; 6];
    let mut count = 0;
    loop {
        let (number, end) = decimal(text, at);
        if let Some(slot) = numbers.get_mut(count) {
            *slot = number;
        }
        count += 1;
        let comma = skip_blanks(text, end);
        if text.get(comma) != Some(&b',') {
            return (numbers, count, end);
        }
        at = skip_blanks(text, comma + 1);
        if !text.get(at).is_some_and(u8::is_ascii_digit) {
            // A comma at the end belongs to the sentence.
            return (numbers, count, end);
        }
    }
}

fn skip_blanks(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|byte| **byte == b' ').count()
}

/// The number that begins at `at`, at most `u32::MAX`, and where it ends.
fn decimal(text: &[u8], at: usize) -> (u32, usize) {
    let mut number = 0_u32;
    let mut end = at;
    while let Some(digit) = text.get(end).filter(|byte| byte.is_ascii_digit()) {
        number = number
            .saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'));
        end += 1;
    }
    (number, end)
}

fn six(numbers: [u32; 6], text: &[u8]) -> Result<SocketAddrV4, AddrError> {
    let mut bytes = [0_u8; 6];
    for (byte, number) in bytes.iter_mut().zip(numbers) {
        *byte = u8::try_from(number).map_err(|_| AddrError::range("a number", text))?;
    }
    let [a, b, c, d, high, low] = bytes;
    let port = to_port(u32::from(u16::from_be_bytes([high, low])), text)?;
    Ok(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

fn to_port(number: u32, text: &[u8]) -> Result<u16, AddrError> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(AddrError::range("a port", text)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
