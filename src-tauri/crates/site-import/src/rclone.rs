//! `rclone.conf`.

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vault::TlsMode;

use crate::Found;
use crate::ini::{Section, sections};

/// The key by which rclone hides passwords from the eye. It stands in its sources, and everybody has it.
const KEY: [u8; 32] = [
    0x9c, 0x93, 0x5b, 0x48, 0x73, 0x0a, 0x55, 0x4d, 0x6b, 0xfd, 0x7c, 0x63, 0xc8, 0x86, 0xa9, 0x2b,
    0xd3, 0x90, 0x19, 0x8e, 0xb8, 0x12, 0x8a, 0xfb, 0xf4, 0xde, 0x16, 0x2b, 0x8b, 0x95, 0xf6, 0x38,
];

/// The first line of a file that rclone has encrypted as a whole.
const ENCRYPTED: &str = "RCLONE_ENCRYPT_V";

pub(crate) fn parse(text: &str) -> Result<Found, String> {
    if text.lines().any(|line| line.starts_with(ENCRYPTED)) {
        return Err(
            "it is encrypted; `rclone config show` prints it in plain after asking for the password"
                .to_owned(),
        );
    }
    let mut found = Found::default();
    for section in sections(text) {
        remote(&section, &mut found);
    }
    Ok(found)
}

fn remote(section: &Section<'_>, found: &mut Found) {
    match section.get("type") {
        Some("ftp") => {}
        Some(other) => {
            return found.leave_out(section.name, &format!("it is of the type {other}, not ftp"));
        }
        None => return found.leave_out(section.name, "it has no type"),
    }
    let host = section.get("host").unwrap_or_default();
    let Some(entry) = found.add(section.name, host) else {
        return;
    };
    entry.port(section.get("port").unwrap_or_default());
    entry.site.tls = if section.is("tls", "true") {
        TlsMode::Implicit
    } else if section.is("explicit_tls", "true") {
        TlsMode::Explicit
    } else {
        TlsMode::Off
    };
    entry.site.allow_plaintext = entry.site.tls == TlsMode::Off;
    entry.user(section.get("user").unwrap_or_default());
    if let Some(hidden) = section.get("pass") {
        match reveal(hidden) {
            Some(password) => entry.password(password),
            None => entry.remark("its password can't be read"),
        }
    }
    if section.is("no_check_certificate", "true") {
        entry.remark("certificates are checked here: one that is not trusted will be shown first");
    }
    if let Some(Ok(count @ 1..=64)) = section.get("concurrency").map(str::parse) {
        entry.site.connections = Some(count);
    }
}

/// AES-256 in counter mode, behind the counter's first value.
fn reveal(hidden: &str) -> Option<String> {
    let mut bytes = URL_SAFE_NO_PAD.decode(hidden.trim_end_matches('=')).ok()?;
    if bytes.len() < 16 {
        return None;
    }
    let mut text = bytes.split_off(16);
    let start: [u8; 16] = bytes.try_into().ok()?;
    let key = DecryptingKey::ctr(UnboundCipherKey::new(&AES_256, &KEY).ok()?).ok()?;
    let context = DecryptionContext::Iv128(FixedLength::from(start));
    let plain = key.decrypt(&mut text, context).ok()?;
    String::from_utf8(plain.to_vec()).ok()
}
