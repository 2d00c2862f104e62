//! `.netrc`: words, whatever the lines.

use crate::Found;

pub(crate) fn parse(text: &str) -> Found {
    let mut found = Found::default();
    let mut words = words(text).into_iter();
    // Whether the words belong to a machine that was taken.
    let mut open = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" => {
                let host = words.next().unwrap_or_default();
                open = found.add(&host, &host).is_some();
            }
            "default" => {
                open = false;
                found.leave_out("default", "it is for every server that is not named");
            }
            "login" | "user" => {
                let user = words.next().unwrap_or_default();
                if let Some(entry) = found.sites.last_mut().filter(|_| open) {
                    entry.user(&user);
                }
            }
            "password" | "passwd" => {
                let password = words.next().unwrap_or_default();
                if let Some(entry) = found.sites.last_mut().filter(|_| open) {
                    entry.password = Some(vault::Secret::new(password));
                }
            }
            "account" => {
                words.next();
                if let Some(entry) = found.sites.last_mut().filter(|_| open) {
                    entry.remark("its account (ACCT) is not taken over");
                }
            }
            "port" => {
                let port = words.next().unwrap_or_default();
                if let Some(entry) = found.sites.last_mut().filter(|_| open) {
                    entry.port(&port);
                }
            }
            _ => {}
        }
    }
    for entry in &mut found.sites {
        // A password without a name is nobody's.
        if entry.site.user.is_empty() {
            entry.password = None;
        }
    }
    found
}

/// The words: blanks part them, quotes hold them together, `#` at the start of one begins a comment, and the lines of a macro are none.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut in_macro = false;
    for line in text.lines() {
        if in_macro {
            in_macro = !line.trim().is_empty();
            continue;
        }
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_whitespace() {
                continue;
            }
            // A password may begin with it.
            if c == '#' && words.last().is_none_or(|word: &String| word != "password") {
                break;
            }
            let quoted = c == '"';
            let mut word = String::new();
            if !quoted {
                word.push(c);
            }
            while let Some(c) = chars.next() {
                match c {
                    '\\' => word.extend(chars.next()),
                    '"' if quoted => break,
                    c if c.is_whitespace() && !quoted => break,
                    c => word.push(c),
                }
            }
            if word == "macdef" && !quoted {
                in_macro = true;
                break;
            }
            words.push(word);
        }
    }
    words
}
