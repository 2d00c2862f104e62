//! The bookmarks of lftp: a name, a tab, an address.

use vault::TlsMode;

use crate::Found;
use crate::text::percent_decode;

const SCHEMES: [(&str, TlsMode); 3] = [
    ("ftp://", TlsMode::Auto),
    ("ftps://", TlsMode::Implicit),
    ("ftpes://", TlsMode::Explicit),
];

/// Whether this begins as an address that lftp writes.
pub(crate) fn is_url(text: &str) -> bool {
    SCHEMES.iter().any(|(scheme, _)| text.starts_with(scheme))
}

pub(crate) fn parse(text: &str) -> Found {
    let mut found = Found::default();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, url)) = line.split_once(char::is_whitespace) else {
            found.leave_out(line, "it has no address");
            continue;
        };
        bookmark(name, url.trim(), &mut found);
    }
    found
}

fn bookmark(name: &str, url: &str, found: &mut Found) {
    let scheme = SCHEMES
        .iter()
        .find_map(|(scheme, tls)| Some((url.strip_prefix(scheme)?, *tls)));
    let Some((rest, tls)) = scheme else {
        // Without a scheme it is FTP; with another it is not ours.
        return match url.split_once("://") {
            Some((other, _)) => found.leave_out(name, &format!("it speaks {other}, not FTP")),
            None => site(name, url, TlsMode::Auto, found),
        };
    };
    site(name, rest, tls, found);
}

fn site(name: &str, rest: &str, tls: TlsMode, found: &mut Found) {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
        Some((host, behind)) => (host, behind.strip_prefix(':').unwrap_or("")),
        None => place.rsplit_once(':').unwrap_or((place, "")),
    };
    let Some(entry) = found.add(name, host) else {
        return;
    };
    entry.site.tls = tls;
    entry.port(port);
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    entry.user(&percent_decode(user));
    entry.password(percent_decode(password));
    let path = percent_decode(path);
    let path = path.trim_end_matches('/');
    // Below the folder of the login, unless it begins with a slash of its own.
    path.clone_into(&mut entry.site.remote_path);
}
