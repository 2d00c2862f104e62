//! `WinSCP.ini`.

use vault::{DataSettings, TlsMode};

use crate::ini::{Section, sections};
use crate::text::percent_decode;
use crate::{Found, FoundSite};

/// The section of what every new session begins with.
const DEFAULTS: &str = "Default%20Settings";

pub(crate) fn parse(text: &str) -> Found {
    let mut found = Found::default();
    for section in sections(text) {
        if let Some(name) = section.name.strip_prefix("Sessions\\")
            && name != DEFAULTS
        {
            session(name, &section, &mut found);
        }
    }
    found
}

fn session(name: &str, section: &Section<'_>, found: &mut Found) {
    let mut folder: Vec<String> = name.split('/').map(percent_decode).collect();
    let name = folder.pop().unwrap_or_default();
    // A folder without sessions has an entry as well, and a workspace has several.
    if section.is("IsWorkspace", "1") || section.get("HostName").is_none() {
        return;
    }
    if section.get("FSProtocol") != Some("5") {
        let what = match section.get("FSProtocol") {
            Some("0") => "SCP",
            Some("6") => "WebDAV",
            Some("7") => "S3",
            _ => "SFTP",
        };
        return found.leave_out(&name, &format!("it speaks {what}, not FTP"));
    }
    let value = |key: &str| percent_decode(section.get(key).unwrap_or_default());
    let Some(entry) = found.add(&name, value("HostName").trim()) else {
        return;
    };
    entry.site.folder = folder;
    entry.port(&value("PortNumber"));
    entry.site.tls = match section.get("Ftps") {
        Some("1") => TlsMode::Implicit,
        Some("2" | "3") => TlsMode::Explicit,
        _ => TlsMode::Off,
    };
    entry.site.allow_plaintext = entry.site.tls == TlsMode::Off;
    entry.user(&value("UserName"));
    password(section, &value("HostName"), &value("UserName"), entry);
    entry.site.local_path = value("LocalDirectory");
    entry.site.remote_path = value("RemoteDirectory");
    entry.site.passive = !section.is("FtpPasvMode", "0");
    if section.is("FtpForcePasvIp2", "0") {
        entry.site.data = DataSettings {
            trust_address: true,
            ..entry.site.data.clone()
        };
    }
    entry.site.notes = value("Note").replace("\r\n", "\n");
    if section.is("ProxyMethod", "0") || section.get("ProxyMethod").is_none() {
        return;
    }
    let host = value("ProxyHost");
    let kind = match section.get("ProxyMethod") {
        Some("1") => "socks4",
        Some("2") => "socks5",
        Some("3") => "http",
        _ => return entry.remark("its kind of proxy is not known here"),
    };
    let user = match value("ProxyUsername") {
        user if user.is_empty() => String::new(),
        user => format!("{user}@"),
    };
    let port = section.get("ProxyPort").unwrap_or("80");
    entry.site.network.proxy = Some(format!("{kind}://{user}{host}:{port}"));
}

fn password(section: &Section<'_>, host: &str, user: &str, entry: &mut FoundSite) {
    if let Some(plain) = section.get("PasswordPlain") {
        return entry.password(percent_decode(plain));
    }
    let Some(hidden) = section.get("Password") else {
        return;
    };
    match reveal(hidden, &format!("{user}{host}")) {
        Some(password) => entry.password(password),
        None => entry.remark("its password is encrypted by a master password, or can't be read"),
    }
}

/// WinSCP hides passwords from the eye, not from anybody who tries: each byte is turned around and mixed with 0xA3, in front is a length,
/// and a number of bytes to skip.
fn reveal(hidden: &str, key: &str) -> Option<String> {
    /// Stands before passwords that begin with user and host.
    const FLAG: u8 = 0xFF;
    let digits: Vec<u8> = hidden
        .trim()
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let mut bytes = digits
        .chunks_exact(2)
        .map(|pair| !((pair[0] << 4 | pair[1]) ^ 0xA3));
    let first = bytes.next()?;
    let length = if first == FLAG {
        match bytes.next()? {
            0 => usize::from(bytes.next()?),
            2 => usize::from(bytes.next()?) << 8 | usize::from(bytes.next()?),
            _ => return None,
        }
    } else {
        usize::from(first)
    };
    let skip = usize::from(bytes.next()?);
    let bytes: Vec<u8> = bytes.skip(skip).take(length).collect();
    if bytes.len() < length {
        return None;
    }
    let text = String::from_utf8(bytes).ok()?;
    if first != FLAG {
        return Some(text);
    }
    text.strip_prefix(key).map(str::to_owned)
}

#[cfg(test)]
pub(crate) fn hide(password: &str, key: &str) -> String {
    let text = format!("{key}{password}");
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![0xFF, 0, length, 2, 0x11, 0x22];
    bytes.extend_from_slice(text.as_bytes());
    // Something behind it, to hide how long it is.
    bytes.extend_from_slice(b"tail");
    bytes
        .into_iter()
        .map(|byte| format!("{:02X}", !byte ^ 0xA3))
        .collect()
}
