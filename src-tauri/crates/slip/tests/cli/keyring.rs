//! A real keyring, in a D-Bus session of its own: the one of the person who runs the tests is not touched.

use std::path::Path;

use crate::harness::{PASSWORD, Site};

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|dir: std::path::PathBuf| Path::new(&dir).join(program).is_file())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_remembered() {
    for program in ["dbus-run-session", "gnome-keyring-daemon"] {
        if !on_path(program) {
            support::skip_loudly(
                "slip --remember",
                &support::Skipped(format!("{program} is not installed")),
            );
            return;
        }
    }
    let site = Site::new().await;
    let script = r#"
        printf test | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null || exit 97
        "$0" ls "$2" --pin "$1" && exit 98
        "$0" ls "$3" --pin "$1" --remember || exit 99
        "$0" ls "$2" --pin "$1""#;
    let without = format!("ftp://me%40home@{}/", site.addr());
    let with = format!("ftp://me%40home:{PASSWORD}@{}/", site.addr());
    site.write("seen", "");
    // The same surroundings as the program itself has, with another program in them.
    let own = site.bench.command([""; 0]);
    let mut command = std::process::Command::new("dbus-run-session");
    command.args(["--", "sh", "-c", script]);
    command
        .arg(env!("CARGO_BIN_EXE_slip"))
        .args([&site.pin, &without, &with]);
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .env("XDG_DATA_HOME", site.bench.dir.path())
        .stdin(std::process::Stdio::null());
    let run = site.bench.run(command).await.expect(0);
    assert_eq!(
        run.out.matches(" seen\n").count(),
        2,
        "{} {}",
        run.out,
        run.err
    );
}
