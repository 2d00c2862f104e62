use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::{Destination, ProxyLogin, ProxyProblem, Said, receive, send};

const CONNECT: u8 = 1;

/// SOCKS 4, and 4a where the destination is a name: the address 0.0.0.1 says that it follows.
pub(super) async fn version4(
    tcp: &mut TcpStream,
    login: Option<&ProxyLogin>,
    destination: &Destination<'_>,
) -> Result<(), ProxyProblem> {
    let user = login.map_or("", |login| &login.user);
    if login.is_some_and(|login| !login.password.is_empty()) {
        return Err(unable("SOCKS 4 has no passwords; SOCKS 5 has"));
    }
    if user.contains('\0') || user.len() > 255 {
        return Err(unable(
            "the user name for the proxy is too long, or has a NUL",
        ));
    }
    let (port, ip, name) = match *destination {
        Destination::Address(SocketAddr::V4(address)) => (address.port(), *address.ip(), None),
        Destination::Address(SocketAddr::V6(_)) => {
            return Err(unable("SOCKS 4 carries no IPv6 addresses; SOCKS 5 does"));
        }
        Destination::Name(name, port) => {
            check_name(name)?;
            (port, std::net::Ipv4Addr::new(0, 0, 0, 1), Some(name))
        }
    };
    let mut request = vec![4, CONNECT];
    request.extend(port.to_be_bytes());
    request.extend(ip.octets());
    request.extend(user.as_bytes());
    request.push(0);
    if let Some(name) = name {
        request.extend(name.as_bytes());
        request.push(0);
    }
    send(tcp, &request).await?;
    // The version first: who speaks something else may never say eight bytes.
    let first: [u8; 2] = receive(tcp, &[]).await?;
    // The version of a reply is 0; some proxies say 4.
    if !matches!(first[0], 0 | 4) {
        return Err(ProxyProblem::Protocol(Said::bytes(&first)));
    }
    let said = |words: &str| Said(format!("SOCKS 4 reply {}: {words}", first[1]));
    let target = destination.to_string();
    match first[1] {
        90 => {
            let _: [u8; 6] = receive(tcp, &first).await?;
            Ok(())
        }
        91 => Err(ProxyProblem::TargetUnreachable {
            target,
            said: said("rejected or failed"),
        }),
        92 => Err(ProxyProblem::LoginRefused(said(
            "it can't ask this computer's identd who we are",
        ))),
        93 => Err(ProxyProblem::LoginRefused(said(
            "this computer's identd names another user",
        ))),
        _ => Err(ProxyProblem::Protocol(Said::bytes(&first))),
    }
}

/// RFC 1928, with the user and password of RFC 1929 where they are given.
pub(super) async fn version5(
    tcp: &mut TcpStream,
    login: Option<&ProxyLogin>,
    destination: &Destination<'_>,
) -> Result<(), ProxyProblem> {
    const NOBODY: u8 = 0;
    const PASSWORD: u8 = 2;
    const NONE: u8 = 0xff;
    let mut request = vec![5, CONNECT, 0];
    match *destination {
        Destination::Address(address) => match address.ip() {
            IpAddr::V4(ip) => {
                request.push(1);
                request.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                request.push(4);
                request.extend(ip.octets());
            }
        },
        Destination::Name(name, _) => {
            let len = check_name(name)?;
            request.extend([3, len]);
            request.extend(name.as_bytes());
        }
    }
    let port = match *destination {
        Destination::Address(address) => address.port(),
        Destination::Name(_, port) => port,
    };
    request.extend(port.to_be_bytes());
    let secret = login.map(password_request).transpose()?;

    let methods: &[u8] = match secret {
        Some(_) => &[5, 2, NOBODY, PASSWORD],
        None => &[5, 1, NOBODY],
    };
    send(tcp, methods).await?;
    let chosen: [u8; 2] = receive(tcp, &[]).await?;
    match (chosen, secret) {
        ([5, NOBODY], _) => {}
        ([5, PASSWORD], Some(secret)) => {
            send(tcp, &secret).await?;
            let answer: [u8; 2] = receive(tcp, &[]).await?;
            match answer {
                // The version is 1; some proxies say 5.
                [1 | 5, 0] => {}
                [1 | 5, _] => return Err(ProxyProblem::LoginRefused(Said::default())),
                _ => return Err(ProxyProblem::Protocol(Said::bytes(&answer))),
            }
        }
        ([5, NONE], None) => return Err(ProxyProblem::LoginNeeded(Said::default())),
        ([5, NONE], Some(_)) => {
            let said = Said("it takes neither nobody nor users with passwords".to_owned());
            return Err(ProxyProblem::LoginRefused(said));
        }
        _ => return Err(ProxyProblem::Protocol(Said::bytes(&chosen))),
    }

    send(tcp, &request).await?;
    let first: [u8; 2] = receive(tcp, &[]).await?;
    match first {
        [5, 0] => {}
        // Some proxies close behind a refusal: the rest of it isn't waited for.
        [5, code @ 1..=8] => return Err(refusal(code, destination)),
        _ => return Err(ProxyProblem::Protocol(Said::bytes(&first))),
    }
    // Where the proxy's own end is: of no use, but it must not be taken for the server's greeting.
    let [reserved, kind]: [u8; 2] = receive(tcp, &first).await?;
    match kind {
        1 => drop(receive::<6>(tcp, &first).await?),
        4 => drop(receive::<18>(tcp, &first).await?),
        3 => {
            let [len]: [u8; 1] = receive(tcp, &first).await?;
            for _ in 0..usize::from(len) + 2 {
                let _: [u8; 1] = receive(tcp, &first).await?;
            }
        }
        _ => {
            let said = [first[0], first[1], reserved, kind];
            return Err(ProxyProblem::Protocol(Said::bytes(&said)));
        }
    }
    Ok(())
}

fn password_request(login: &ProxyLogin) -> Result<Vec<u8>, ProxyProblem> {
    let mut request = vec![1];
    for part in [&login.user, &login.password] {
        let Ok(len) = u8::try_from(part.len()) else {
            return Err(unable(
                "user name and password for a SOCKS proxy have at most 255 bytes each",
            ));
        };
        request.push(len);
        request.extend(part.as_bytes());
    }
    Ok(request)
}

fn refusal(code: u8, destination: &Destination<'_>) -> ProxyProblem {
    let target = destination.to_string();
    let said = |words: &str| Said(format!("SOCKS 5 reply {code}: {words}"));
    match code {
        2 => ProxyProblem::Forbidden {
            target,
            said: said("not allowed by its rules"),
        },
        7 => ProxyProblem::Forbidden {
            target,
            said: said("it knows no CONNECT"),
        },
        8 => ProxyProblem::Forbidden {
            target,
            said: said("it can't do this kind of address"),
        },
        code => ProxyProblem::TargetUnreachable {
            target,
            said: said(match code {
                3 => "network unreachable",
                4 => "host unreachable",
                5 => "connection refused",
                6 => "it took too long",
                _ => "general failure",
            }),
        },
    }
}

/// Its length, where a proxy can be told it.
fn check_name(name: &str) -> Result<u8, ProxyProblem> {
    match u8::try_from(name.len()) {
        Ok(len @ 1..) if !name.bytes().any(|byte| byte <= b' ' || byte == 0x7f) => Ok(len),
        _ => Err(unable(
            "a proxy can't be told this host name: it is empty, longer than 255 bytes, or has blanks or control characters",
        )),
    }
}

pub(super) fn unable(why: &str) -> ProxyProblem {
    ProxyProblem::Unable(why.to_owned())
}
