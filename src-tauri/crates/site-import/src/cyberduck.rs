//! A bookmark of Cyberduck: a property list of Apple's.

use std::collections::HashMap;

use vault::TlsMode;

use crate::Found;
use crate::xml::{child, document};

pub(crate) fn parse(content: &str) -> Result<Found, String> {
    let document = document(content)?;
    let Some(dict) = child(document.root_element(), "dict") else {
        return Err("it has no <dict>".to_owned());
    };
    let mut values: HashMap<&str, &str> = HashMap::new();
    let mut key = None;
    for node in dict.children().filter(roxmltree::Node::is_element) {
        if node.has_tag_name("key") {
            key = node.text();
        } else if let Some(key) = key.take()
            && node.has_tag_name("string")
        {
            values.insert(key, node.text().unwrap_or_default());
        }
    }
    let value = |key: &str| values.get(key).copied().unwrap_or_default().trim();
    let host = value("Hostname");
    let name = match value("Nickname") {
        "" => host,
        name => name,
    };
    let mut found = Found::default();
    let tls = match value("Protocol") {
        "ftp" => TlsMode::Auto,
        "ftps" => TlsMode::Explicit,
        "" => return Err("it names no protocol".to_owned()),
        other => {
            found.leave_out(name, &format!("it speaks {other}, not FTP"));
            return Ok(found);
        }
    };
    if let Some(entry) = found.add(name, host) {
        entry.site.tls = tls;
        // The only way to say that this is what other programs call ftps.
        if tls == TlsMode::Explicit && value("Port") == "990" {
            entry.site.tls = TlsMode::Implicit;
        }
        entry.port(value("Port"));
        entry.user(value("Username"));
        entry.site.remote_path = value("Path").to_owned();
        entry.site.local_path = value("Local Folder").to_owned();
        entry.site.passive = value("FTP Connect Mode") != "active";
        let charset = value("Encoding");
        if !charset.is_empty() && !charset.eq_ignore_ascii_case("utf-8") {
            entry.site.charset = Some(charset.to_owned());
        }
        entry.site.notes = value("Comment").replace("\r\n", "\n");
    }
    Ok(found)
}
