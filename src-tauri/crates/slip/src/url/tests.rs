#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn server(text: &str) -> Server {
    match Url::parse(text).unwrap().place {
        Place::Server(server) => server,
        Place::Site(name) => panic!("a site: {name}"),
    }
}

fn remote(text: &str, home: &str) -> String {
    let home = RemotePath::try_from(home).unwrap();
    Url::parse(text)
        .unwrap()
        .remote(Some(&home), None)
        .unwrap()
        .to_string()
}

#[test]
fn the_parts_of_an_address() {
    let all = server("FTPS://me%40home:p%3aw%2F@Host.example:2121/a");
    assert_eq!(all.scheme, Scheme::Ftps);
    assert_eq!(all.user.unwrap().as_bytes(), b"me@home");
    assert_eq!(all.password.unwrap().expose(), b"p:w/");
    assert_eq!((all.host.as_str(), all.port), ("Host.example", Some(2121)));
    let bare = server("ftp://host");
    assert_eq!((bare.user, bare.password, bare.port), (None, None, None));
    let empty = server("ftp://me:@host:/");
    assert!(empty.password.unwrap().is_empty());
    let at = server("ftp://me:a@b@host");
    assert_eq!(at.password.unwrap().expose(), b"a@b");
    let six = server("ftpes://[2001:db8::1]:990/");
    assert_eq!((six.host.as_str(), six.port), ("2001:db8::1", Some(990)));
}

#[test]
fn paths_start_at_the_login_unless_they_are_absolute() {
    for home in ["/", "/home/me"] {
        let base = home.trim_end_matches('/');
        assert_eq!(remote("ftp://h", home), home);
        assert_eq!(remote("ftp://h/", home), home);
        assert_eq!(remote("ftp://h/a", home), format!("{base}/a"));
        assert_eq!(remote("ftp://h/a/b//", home), format!("{base}/a/b"));
        for top in ["ftp://h//", "ftp://h/%2F", "ftp://h///"] {
            assert_eq!(remote(top, home), "/");
        }
        for absolute in ["ftp://h//etc/x", "ftp://h/%2Fetc/x", "ftp://h/%2fetc%2fx"] {
            assert_eq!(remote(absolute, home), "/etc/x");
        }
    }
    // A server whose folder has no name that we know, or not one of ours.
    let url = Url::parse("ftp://h/a").unwrap();
    assert_eq!(url.remote(None, None).unwrap().as_bytes(), b"a");
    assert_eq!(Url::parse("ftp://h/").unwrap().remote(None, None), None);
    let disk = RemotePath::try_from("DISK:[ME]").unwrap();
    assert_eq!(url.remote(Some(&disk), None).unwrap().as_bytes(), b"a");
}

#[test]
fn bytes_of_names_survive() {
    let url = Url::parse("ftp://h/%ff%20a%23b%3Fc;type=i").unwrap();
    assert_eq!(url.remote(None, None).unwrap().as_bytes(), b"\xff a#b?c");
    assert_eq!(url.to_string(), "ftp://h/%FF%20a%23b%3Fc");
    let url = Url::parse("ftp://h/größe?x#y").unwrap();
    assert_eq!(
        url.remote(None, None).unwrap().as_bytes(),
        "größe?x#y".as_bytes()
    );
}

#[test]
fn sites() {
    let url = Url::parse("site:My%20site/a/").unwrap();
    assert_eq!(url.place, Place::Site("My site".into()));
    assert!(url.is_folder());
    let (home, base) = (RemotePath::root(), RemotePath::try_from("www").unwrap());
    let path = url.remote(Some(&home), Some(&base)).unwrap();
    assert_eq!(path.as_bytes(), b"/www/a");
    assert_eq!(url.to_string(), "site:My%20site/a/");
    assert!(Url::parse("site:").is_err());
}

#[test]
fn reports_name_what_a_command_would_take() {
    for (text, home) in [
        ("ftp://me@h/a%20b", "/"),
        ("ftp://h/a", "/home/me"),
        ("ftp://h//etc", "/home/me"),
        ("ftp://h//home/mean", "/home/me"),
        ("ftp://h/", "/home/me"),
    ] {
        let home = RemotePath::try_from(home).unwrap();
        let url = Url::parse(text).unwrap();
        let path = url.remote(Some(&home), None).unwrap();
        assert_eq!(url.at(&path, Some(&home)).to_string(), text);
    }
}

#[test]
fn wrong_addresses_say_why_and_show_no_password() {
    for (text, why) in [
        ("host/path", "begins with"),
        ("http://me:hunter2@host/", "begins with"),
        ("me:hunter2@host", "begins with"),
        ("ftp://", "no host"),
        ("ftp:///a", "no host"),
        ("ftp://me:hunter2@/", "no host"),
        ("ftp://me:hunter2@host:0/", "port"),
        ("ftp://me:hunter2@host:65536/", "port"),
        ("ftp://me:hunter2@host:+5/", "port"),
        // An unescaped slash in the password.
        ("ftp://me:hunter2/x@host/", "port"),
        ("ftp://me:hunter2@a b/", "host name"),
        ("ftp://::1/", "brackets"),
        ("ftp://[::1", "closing bracket"),
        ("ftp://[hunter2]/", "no IPv6"),
        ("ftp://[::1]x/", "between"),
        ("ftp://h/a%0d%0aDELE", "CR"),
        ("ftp://me%0a:hunter2@h/", "user"),
        ("ftp://me:hunter2%00@h/", "password"),
        ("ftp://h/a;type=a", "byte for byte"),
    ] {
        let error = Url::parse(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn passwords_come_out_and_go_back() {
    let text = "ftp://me:a:b@c%40@host:21/x@y";
    let (clean, password) = take_password(text).unwrap();
    assert_eq!(
        (clean.as_str(), password.as_str()),
        ("ftp://me@host:21/x@y", "a:b@c%40")
    );
    assert_eq!(put_password(&clean, &password).unwrap(), text);
    for none in [
        "ftp://me@host/a:b@c",
        "ftp://host:21/",
        "x:y@z",
        "--user=a:b",
    ] {
        assert_eq!(take_password(none), None);
    }
}

#[test]
fn redaction_is_greedy() {
    assert_eq!(
        redact("error: 'ftp://me:a@b/c@host/x' found"),
        "error: 'ftp://*****@host/x' found"
    );
    assert_eq!(
        redact("unexpected 'me:pw@host'\nand more"),
        "unexpected '*****@host'\nand more"
    );
    assert_eq!(redact("nothing here"), "nothing here");
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), rest in "[:/@%a0\\[\\];=#é ]{0,24}") {
        for text in [text, format!("ftp://{rest}"), format!("site:{rest}"), rest.clone()] {
            if let Ok(url) = Url::parse(&text) {
                let _ = (url.to_string(), url.remote(None, None), url.file_name(), url.is_folder());
                // What is shown means the same.
                let mut again = Url::parse(&url.to_string()).unwrap();
                if let (Place::Server(again), Place::Server(first)) = (&mut again.place, &url.place) {
                    again.password = first.password.clone();
                }
                prop_assert_eq!(&again, &url);
            }
            if let Some((clean, password)) = take_password(&text) {
                prop_assert_eq!(put_password(&clean, &password).unwrap(), text.clone());
            }
            redact(&text);
        }
    }

    #[test]
    fn no_password_is_shown(
        password in "[A-Z0-9!$&'()*+,;=:@_.~% -]{6,20}",
        host in "[a-z:\\[\\] ]{0,6}", port in "(:[0-9a-z]{0,6})?", path in "[a-z/@:]{0,12}",
    ) {
        let text = format!("ftp://user:{password}@{host}{port}/{path}");
        let decoded = String::from_utf8_lossy(&decode(&password)).into_owned();
        let shown = match Url::parse(&text) {
            Ok(url) => format!("{url} {url:?} {}", url.root()),
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!shown.contains(&password), "{}", shown);
        prop_assert!(decoded.len() < 6 || !shown.contains(&decoded), "{}", shown);
        prop_assert!(!redact(&text).contains(&password));
        let (clean, taken) = take_password(&text).unwrap();
        prop_assert_eq!(&taken, &password);
        prop_assert!(!clean.contains(&password));
    }
}
