//! The real keyring: this test starts itself again under a D-Bus session of its own with a real gnome-keyring in a
//! temporary home, and never touches the keyring of the person who runs it.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use vault::{Keyring, KeyringStatus, Secret, SecretErrorKind, SecretStore};

const ROLE: &str = "SLIPWAY_TEST_KEYRING_ROLE";

#[test]
fn a_real_keyring_keeps_a_password_between_processes() {
    for program in ["dbus-run-session", "gnome-keyring-daemon"] {
        if !on_path(program) {
            eprintln!(
                "*** SKIPPED: the real keyring is not tested, {program} is not installed ***"
            );
            return;
        }
    }
    let home = tempfile::tempdir().unwrap();
    let script = r#"
        echo -n test | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null || exit 97
        for role in store read delete; do
            SLIPWAY_TEST_KEYRING_ROLE=$role "$0" --exact inside_the_session --ignored --nocapture || exit 98
        done"#;
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env_clear()
        .envs(private_environment(home.path()))
        .output()
        .unwrap();
    assert_ran(&output, &["stored", "read", "deleted"]);
}

#[test]
fn without_a_service_the_store_says_so() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "inside_the_session", "--ignored", "--nocapture"])
        .env_clear()
        .envs(private_environment(home.path()))
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env(ROLE, "absent")
        .output()
        .unwrap();
    assert_ran(&output, &["absent"]);
}

/// Not a test of its own: what the tests above run in another process.
#[test]
#[ignore = "run by the other tests, in a session of its own"]
fn inside_the_session() {
    let account = "0123456789abcdef";
    let password = "pä ss\"w%rd\n";
    match std::env::var(ROLE).as_deref() {
        Ok("store") => {
            assert_eq!(Keyring.status(), KeyringStatus::Available);
            assert_eq!(
                Keyring.get(account).unwrap_err().kind(),
                SecretErrorKind::NotFound
            );
            Keyring.set(account, &Secret::new("first")).unwrap();
            Keyring.set(account, &Secret::new(password)).unwrap();
            Keyring.set("another", &Secret::new("")).unwrap();
            println!("stored");
        }
        Ok("read") => {
            assert_eq!(Keyring.get(account).unwrap().expose(), password);
            assert_eq!(Keyring.get("another").unwrap().expose(), "");
            println!("read");
        }
        Ok("delete") => {
            Keyring.delete(account).unwrap();
            for result in [Keyring.delete(account), Keyring.get(account).map(|_| ())] {
                assert_eq!(result.unwrap_err().kind(), SecretErrorKind::NotFound);
            }
            assert!(Keyring.get("another").is_ok());
            println!("deleted");
        }
        Ok("absent") => {
            let KeyringStatus::Unavailable { message } = Keyring.status() else {
                panic!("there is no service");
            };
            assert!(message.contains("can't be remembered"), "{message}");
            for result in [
                Keyring.get(account).map(|_| ()),
                Keyring.set(account, &Secret::new(password)),
                Keyring.delete(account),
            ] {
                assert_eq!(result.unwrap_err().kind(), SecretErrorKind::Unavailable);
            }
            println!("absent");
        }
        _ => eprintln!("*** SKIPPED: only the other tests of this file run this ***"),
    }
}

fn assert_ran(output: &Output, words: &[&str]) {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    for word in words {
        assert!(
            out.lines().any(|l| l.ends_with(word)),
            "no {word:?} in\n{out}\n{err}"
        );
    }
}

fn private_environment(home: &Path) -> Vec<(String, String)> {
    let home = home.to_str().unwrap().to_owned();
    let mut vars = vec![("PATH".to_owned(), std::env::var("PATH").unwrap())];
    for name in [
        "HOME",
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_CACHE_HOME",
    ] {
        vars.push((name.to_owned(), home.clone()));
    }
    vars
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
