//! Passwords on the command line, which every user of this computer can read in the list of processes.
//!
//! They are taken out before anything else looks at the arguments. On Unix the program then starts itself again,
//! in the same process, with the passwords in its environment, which only its owner can read. That can't undo the moment
//! before, nor the shell's history; docs/slip.md says what is better.

use std::ffi::OsString;

use crate::url;

/// Carries the passwords over the restart.
const VARIABLE: &str = "SLIP_MOVED_PASSWORDS";

/// What was taken out of the arguments.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Moved(Vec<(String, String)>);

impl Moved {
    /// The URL as it was written, with its password.
    pub(crate) fn whole_url(&self, clean: &str) -> String {
        self.find(clean)
            .and_then(|password| url::put_password(clean, password))
            .unwrap_or_else(|| clean.to_owned())
    }

    /// The address of the proxy as it was written, with its password.
    pub(crate) fn whole_proxy(&self, clean: &str) -> String {
        self.find(&proxy_key(clean))
            .and_then(|password| url::put_password_of(clean, password))
            .unwrap_or_else(|| clean.to_owned())
    }

    /// The password of a user of `slip serve`.
    pub(crate) fn of_user(&self, name: &str) -> Option<&str> {
        self.find(&user_key(name))
    }

    fn find(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, password)| password.as_str())
    }
}

/// The arguments without passwords, and the passwords. Starts the program again if there were any and that is
/// possible.
pub(crate) fn hide_passwords(arguments: Vec<OsString>) -> (Vec<OsString>, Moved) {
    if let Some(moved) = inherited() {
        return (arguments, moved);
    }
    let (arguments, moved) = split(arguments);
    if !moved.0.is_empty() {
        restart(&arguments, &moved);
    }
    (arguments, moved)
}

fn split(arguments: Vec<OsString>) -> (Vec<OsString>, Moved) {
    let mut moved = Vec::new();
    let mut serving = false;
    let mut after_user = false;
    let mut after_proxy = false;
    let clean = arguments
        .into_iter()
        .map(|argument| {
            let Some(text) = argument.to_str() else {
                return argument;
            };
            let is_user = std::mem::replace(&mut after_user, serving && text == "--user");
            let is_proxy = std::mem::replace(&mut after_proxy, text == "--proxy");
            serving |= text == "serve";
            let (option, proxy) = match text.strip_prefix("--proxy=") {
                Some(proxy) => ("--proxy=", proxy),
                None if is_proxy => ("", text),
                None => ("", ""),
            };
            if let Some((clean, password)) = url::take_password_of(proxy) {
                let argument = format!("{option}{clean}");
                moved.push((proxy_key(&clean), password));
                return argument.into();
            }
            if let Some((clean, password)) = url::take_password(text) {
                moved.push((clean.clone(), password));
                return clean.into();
            }
            let (option, user) = match text.strip_prefix("--user=") {
                Some(user) if serving => ("--user=", user),
                _ if is_user => ("", text),
                _ => return argument,
            };
            match user.split_once(':') {
                Some((name, password)) => {
                    moved.push((user_key(name), password.to_owned()));
                    format!("{option}{name}").into()
                }
                None => argument,
            }
        })
        .collect();
    (clean, Moved(moved))
}

/// No URL looks like this.
fn user_key(name: &str) -> String {
    format!("user {name}")
}

/// Nor like this.
fn proxy_key(clean: &str) -> String {
    format!("proxy {clean}")
}

fn inherited() -> Option<Moved> {
    let text = std::env::var(VARIABLE).ok()?;
    serde_json::from_str(&text).ok().map(Moved)
}

#[cfg(unix)]
fn restart(arguments: &[OsString], moved: &Moved) {
    use std::os::unix::process::CommandExt as _;
    let (Ok(program), Ok(text), Some((name, rest))) = (
        std::env::current_exe(),
        serde_json::to_string(&moved.0),
        arguments.split_first(),
    ) else {
        return;
    };
    // Only returns where it failed; then the passwords stay where they are seen, as on systems without this.
    let _ = std::process::Command::new(program)
        .arg0(name)
        .args(rest)
        .env(VARIABLE, text)
        .exec();
}

#[cfg(not(unix))]
fn restart(_: &[OsString], _: &Moved) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_texts(arguments: &[&str]) -> (Vec<String>, Moved) {
        let (clean, moved) = split(arguments.iter().map(OsString::from).collect());
        let clean = clean
            .into_iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        (clean, moved)
    }

    #[test]
    fn urls_and_users_lose_their_passwords() {
        let (clean, moved) = split_texts(&["slip", "get", "ftp://a:b@h/x", "ftp://h/y", "-j", "4"]);
        assert_eq!(
            clean,
            ["slip", "get", "ftp://a@h/x", "ftp://h/y", "-j", "4"]
        );
        assert_eq!(moved.whole_url("ftp://a@h/x"), "ftp://a:b@h/x");
        assert_eq!(moved.whole_url("ftp://h/y"), "ftp://h/y");
        let (clean, moved) = split_texts(&[
            "slip",
            "serve",
            ".",
            "--user",
            "a:b:c",
            "--user=d:",
            "--user",
            "e",
        ]);
        assert_eq!(
            clean,
            [
                "slip", "serve", ".", "--user", "a", "--user=d", "--user", "e"
            ]
        );
        assert_eq!(moved.of_user("a"), Some("b:c"));
        assert_eq!(moved.of_user("d"), Some(""));
        assert_eq!(moved.of_user("e"), None);
    }

    #[test]
    fn proxies_lose_their_passwords() {
        let (clean, moved) = split_texts(&[
            "slip",
            "--proxy",
            "socks5://a:b%40@gate:1",
            "--proxy=http://c:d@gate",
            "ls",
        ]);
        assert_eq!(
            clean,
            [
                "slip",
                "--proxy",
                "socks5://a@gate:1",
                "--proxy=http://c@gate",
                "ls"
            ]
        );
        assert_eq!(
            moved.whole_proxy("socks5://a@gate:1"),
            "socks5://a:b%40@gate:1"
        );
        assert_eq!(moved.whole_proxy("http://c@gate"), "http://c:d@gate");
        assert_eq!(moved.whole_proxy("http://gate"), "http://gate");
    }

    #[test]
    fn nothing_else_is_touched() {
        let arguments = ["slip", "put", "a:b@c", "--user=a:b", "ftp://h/a:b@c"];
        let (clean, moved) = split_texts(&arguments);
        assert_eq!(clean, arguments);
        assert!(moved.0.is_empty());
    }
}
