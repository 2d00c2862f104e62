use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{Destination, ProxyLogin, ProxyProblem, Said, broke, send, socks::unable};

/// More than this of headers is no answer to CONNECT.
const MOST: usize = 16 * 1024;
/// So many answers of the kind that says "go on" are passed over (RFC 9110 section 15.2).
const MOST_INTERIM: usize = 10;

/// CONNECT, and its answer up to the empty line (RFC 9110 section 9.3.6).
pub(super) async fn connect(
    tcp: &mut TcpStream,
    login: Option<&ProxyLogin>,
    destination: &Destination<'_>,
) -> Result<(), ProxyProblem> {
    let target = match *destination {
        Destination::Address(SocketAddr::V4(address)) => address.to_string(),
        Destination::Address(SocketAddr::V6(address)) => {
            format!("[{}]:{}", address.ip(), address.port())
        }
        Destination::Name(name, port) => {
            if name.is_empty() || !name.bytes().all(|byte| byte > b' ' && byte != 0x7f) {
                return Err(unable(
                    "a proxy can't be told this host name: it is empty, or has blanks or control characters",
                ));
            }
            format!("{name}:{port}")
        }
    };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(ProxyLogin { user, password }) = login {
        if user.contains(':') {
            return Err(unable(
                "a user name for an HTTP proxy can't have a colon (RFC 7617 section 2)",
            ));
        }
        let token = STANDARD.encode(format!("{user}:{password}"));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&token);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    send(tcp, request.as_bytes()).await?;

    let mut budget = MOST;
    for _ in 0..MOST_INTERIM {
        let head = head(tcp, &mut budget).await?;
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(code) = status(line) else {
            return Err(ProxyProblem::Protocol(Said::bytes(line)));
        };
        let said = Said::bytes(line);
        let target = destination.to_string();
        return Err(match code {
            100..=199 => continue,
            200..=299 => return Ok(()),
            407 if login.is_none() => ProxyProblem::LoginNeeded(said),
            407 => ProxyProblem::LoginRefused(said),
            // Nobody there, or it did not answer, or the name is unknown.
            404 | 500..=599 => ProxyProblem::TargetUnreachable { target, said },
            _ => ProxyProblem::Forbidden { target, said },
        });
    }
    Err(ProxyProblem::Protocol(Said(
        "it only ever says to go on".to_owned(),
    )))
}

/// The code of `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let code = match rest {
        [b'0'..=b'9', b' ', a, b, c] => [*a, *b, *c],
        [b'0'..=b'9', b' ', a, b, c, b' ', ..] => [*a, *b, *c],
        _ => return None,
    };
    let text = std::str::from_utf8(&code).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    text.parse().ok()
}

/// An answer's head. Not a byte behind it is taken from the connection: the server's greeting may be there already.
async fn head(tcp: &mut TcpStream, budget: &mut usize) -> Result<Vec<u8>, ProxyProblem> {
    let mut head = Vec::new();
    let mut seen = [0; 2048];
    loop {
        let room = seen.len().min(*budget);
        if room == 0 {
            return Err(ProxyProblem::Protocol(Said::bytes(&head)));
        }
        let count = tcp.peek(&mut seen[..room]).await.map_err(broke)?;
        if count == 0 {
            return Err(ProxyProblem::Closed(Said::bytes(&head)));
        }
        let before = head.len();
        head.extend(&seen[..count]);
        // What speaks no HTTP is known by its first bytes, and may never end a line.
        let sign = b"HTTP/1.";
        let shown = head.len().min(sign.len());
        if head[..shown] != sign[..shown] {
            return Err(ProxyProblem::Protocol(Said::bytes(&head)));
        }
        let end = end_of_head(&head, before);
        let take = end.unwrap_or(head.len()) - before;
        tcp.read_exact(&mut seen[..take]).await.map_err(broke)?;
        *budget -= take;
        if let Some(end) = end {
            head.truncate(end);
            return Ok(head);
        }
    }
}

/// Where the empty line ends; what is before `known` has been looked through. Bare line feeds end lines too (RFC 9112
/// section 2.2).
fn end_of_head(head: &[u8], known: usize) -> Option<usize> {
    let from = known.saturating_sub(3);
    (from..head.len()).find_map(|at| {
        let rest = &head[at..];
        let len = if rest.starts_with(b"\n\r\n") {
            3
        } else if rest.starts_with(b"\n\n") {
            2
        } else {
            return None;
        };
        Some(at + len)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_has_a_code() {
        assert_eq!(status(b"HTTP/1.1 200 OK"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407"), Some(407));
        for bad in [
            &b""[..],
            b"HTTP/1.1",
            b"HTTP/1.1 20",
            b"HTTP/1.1 2000",
            b"HTTP/2 200 OK",
            b"220 hello",
            b"HTTP/1.1 +20 OK",
        ] {
            assert_eq!(status(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        assert_eq!(end_of_head(b"HTTP/1.1 200\r\n\r\n220 hi", 0), Some(16));
        assert_eq!(end_of_head(b"HTTP/1.1 200\n\n", 13), Some(14));
        assert_eq!(end_of_head(b"a\r\nb\r\n", 0), None);
    }
}
