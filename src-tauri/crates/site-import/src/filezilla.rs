//! `sitemanager.xml` of FileZilla 3, and what its export writes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;
use vault::{Bookmark, Colour, TlsMode};

use crate::xml::{child, document, own_text, text};
use crate::{Found, FoundSite};

/// Folders in folders that are followed.
const DEPTH: usize = 16;

pub(crate) fn parse(content: &str) -> Result<Found, String> {
    let document = document(content)?;
    let root = document.root_element();
    if !root.has_tag_name("FileZilla3") {
        return Err(format!("it is a <{}>", root.tag_name().name()));
    }
    let mut found = Found::default();
    if let Some(servers) = child(root, "Servers") {
        folder(servers, &mut Vec::new(), &mut found);
    }
    Ok(found)
}

fn folder(node: Node<'_, '_>, path: &mut Vec<String>, found: &mut Found) {
    for child in node.children() {
        if child.has_tag_name("Server") {
            server(child, path, found);
        } else if child.has_tag_name("Folder") && path.len() < DEPTH {
            let name = own_text(child);
            let named = !name.is_empty();
            if named {
                path.push(name);
            }
            folder(child, path, found);
            if named {
                path.pop();
            }
        }
    }
}

fn server(node: Node<'_, '_>, folder: &[String], found: &mut Found) {
    let host = text(node, "Host");
    // Old versions wrote the name between the fields.
    let name = match text(node, "Name") {
        "" => own_text(node),
        name => name.to_owned(),
    };
    let name = if name.is_empty() {
        host.to_owned()
    } else {
        name
    };
    let tls = match text(node, "Protocol") {
        "" | "0" => TlsMode::Auto,
        "3" => TlsMode::Implicit,
        "4" => TlsMode::Explicit,
        "6" => TlsMode::Off,
        other => {
            let what = match other {
                "1" => "SFTP",
                "2" | "5" => "HTTP",
                "7" => "S3",
                _ => "another protocol",
            };
            found.leave_out(&name, &format!("it speaks {what}, not FTP"));
            return;
        }
    };
    let Some(entry) = found.add(&name, host) else {
        return;
    };
    entry.site.tls = tls;
    // What FileZilla calls plain FTP has no secret to keep.
    entry.site.allow_plaintext = tls == TlsMode::Off;
    entry.site.folder = folder.to_vec();
    entry.port(text(node, "Port"));
    login(node, entry);
    entry.site.passive = text(node, "PasvMode") != "MODE_ACTIVE";
    if let Ok(count @ 1..=64) = text(node, "MaximumMultipleConnections").parse() {
        entry.site.connections = Some(count);
    }
    if text(node, "EncodingType") == "Custom" {
        let label = text(node, "CustomEncoding");
        entry.site.charset = (!label.is_empty()).then(|| label.to_owned());
    }
    entry.site.colour = colour(text(node, "Colour"));
    entry.site.notes = child(node, "Comments")
        .and_then(|node| node.text())
        .unwrap_or_default()
        .replace("\r\n", "\n");
    entry.site.local_path = text(node, "LocalDir").to_owned();
    entry.site.remote_path = remote_path(text(node, "RemoteDir"));
    for node in node.children().filter(|node| node.has_tag_name("Bookmark")) {
        entry.site.bookmarks.push(Bookmark {
            name: text(node, "Name").to_owned(),
            remote_path: remote_path(text(node, "RemoteDir")),
            local_path: text(node, "LocalDir").to_owned(),
        });
    }
    if !matches!(text(node, "TimezoneOffset"), "" | "0") {
        entry.remark("its offset of time is not taken over: Slipway finds it out");
    }
    if child(node, "PostLoginCommands").is_some_and(|node| node.has_children()) {
        entry.remark("its commands after the login are not taken over");
    }
}

fn login(node: Node<'_, '_>, entry: &mut FoundSite) {
    // 0 is anonymous.
    if text(node, "Logontype") == "0" {
        return;
    }
    entry.user(text(node, "User"));
    let Some(pass) = child(node, "Pass") else {
        return;
    };
    let given = pass.text().unwrap_or_default();
    match pass.attribute("encoding") {
        None => entry.password(given.to_owned()),
        Some("base64") => match STANDARD.decode(given.trim()).map(String::from_utf8) {
            Ok(Ok(password)) => entry.password(password),
            _ => entry.remark("its password can't be read"),
        },
        Some(_) => entry.remark("its password is encrypted by a master password"),
    }
    if text(node, "Logontype") == "4" {
        entry.remark("its account (ACCT) is not taken over");
    }
}

fn colour(number: &str) -> Option<Colour> {
    match number {
        "1" => Some(Colour::Red),
        "2" => Some(Colour::Green),
        "3" => Some(Colour::Blue),
        "4" => Some(Colour::Yellow),
        "5" => Some(Colour::Cyan),
        "6" => Some(Colour::Purple),
        "7" => Some(Colour::Orange),
        _ => None,
    }
}

/// `1 0 4 home 2 me`: the kind of path, the length of a prefix (and the prefix), then each part behind its length in characters.
/// What is not of that form is no path.
fn remote_path(text: &str) -> String {
    let parts = || {
        let (kind, rest) = text.split_once(' ')?;
        // DOS, VMS and the others need the prefix and another separator.
        if !matches!(kind, "0" | "1") {
            return None;
        }
        let (prefix, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if prefix != "0" {
            return None;
        }
        let mut path = String::new();
        while !rest.is_empty() {
            let (length, behind) = rest.split_once(' ')?;
            let length: usize = length.parse().ok()?;
            let end = behind
                .char_indices()
                .nth(length)
                .map_or(behind.len(), |(at, _)| at);
            path.push('/');
            path.push_str(&behind[..end]);
            rest = behind[end..].trim_start_matches(' ');
        }
        Some(if path.is_empty() {
            "/".to_owned()
        } else {
            path
        })
    };
    parts().unwrap_or_default()
}
