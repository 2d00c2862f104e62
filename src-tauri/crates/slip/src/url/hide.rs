//! Passwords in texts that hold addresses, or should.

use super::Scheme;

/// Takes the password out of a URL: the URL without it, and the password as it was written. `None` where there is none.
pub(crate) fn take_password(text: &str) -> Option<(String, String)> {
    Scheme::strip(text)?;
    take_password_of(text)
}

/// The same whatever the scheme is.
pub(crate) fn take_password_of(text: &str) -> Option<(String, String)> {
    let (_, rest) = text.split_once("://")?;
    let begin = text.len() - rest.len();
    let authority = rest.split('/').next().unwrap_or(rest);
    let at = authority.rfind('@')?;
    let colon = authority[..at].find(':')?;
    let clean = format!("{}{}", &text[..begin + colon], &text[begin + at..]);
    Some((clean, authority[colon + 1..at].to_owned()))
}

/// Puts a password that [`take_password`] took back in its place.
pub(crate) fn put_password(clean: &str, password: &str) -> Option<String> {
    Scheme::strip(clean)?;
    put_password_of(clean, password)
}

/// The same whatever the scheme is.
pub(crate) fn put_password_of(clean: &str, password: &str) -> Option<String> {
    let (_, rest) = clean.split_once("://")?;
    let begin = clean.len() - rest.len();
    let authority = rest.split('/').next().unwrap_or(rest);
    let at = begin + authority.rfind('@')?;
    Some(format!("{}:{password}{}", &clean[..at], &clean[at..]))
}

/// A text that may hold addresses, however wrong, without what could be a password: line by line, everything that
/// stands before the last `@`.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let Some(end) = line.rfind('@') else {
            out.push_str(line);
            continue;
        };
        let first = line.find('@').unwrap_or(end);
        let begin = match line[..first].find("://") {
            Some(scheme) => scheme + 3,
            None => line[..first]
                .rfind(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'))
                .map_or(0, |quote| {
                    quote + line[quote..].chars().next().map_or(1, char::len_utf8)
                }),
        };
        out.push_str(&line[..begin]);
        out.push_str("*****");
        out.push_str(&line[end..]);
    }
    out
}
