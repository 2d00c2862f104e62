//! The long wire of `tests/wan`: it delays by what it was told, loses and limits what it was told, carries a server's
//! transfers both ways, and leaves nothing behind.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::{Skipped, skip_loudly};

/// A wire with a name of its own, so that it gets on with others; taken down on drop.
struct Wan {
    name: String,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wan/wan.sh")
}

impl Wan {
    /// `None`, said loudly, where this machine can't have one.
    fn up(test: &str, arguments: &[&str]) -> Option<Self> {
        let wan = Self {
            name: format!("slipway-test-{test}-{}", std::process::id()),
        };
        let output = wan.command("up").args(arguments).output().unwrap();
        if output.status.success() {
            return Some(wan);
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        skip_loudly("a test of the long wire", &Skipped(said));
        None
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(script());
        command.arg(verb).env("SLIPWAY_WAN", &self.name);
        command
    }

    fn down(&self) -> Output {
        self.command("down").output().unwrap()
    }

    /// What `program`, in Perl (the tests' servers need it anyway), prints on the client's host, while on the server's
    /// one an echo runs: it sends back each connection's bytes after the last one has come.
    fn with_echo(&self, program: &str) -> String {
        let mut echo = self
            .command("server")
            .args(["perl", "-MIO::Socket::INET", "-e", ECHO])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = std::io::BufReader::new(echo.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        let output = self
            .command("client")
            .args(["perl", "-MIO::Socket::INET", "-MTime::HiRes=time", "-e"])
            .arg(format!("{CONNECT}{program}"))
            .output();
        echo.kill().unwrap();
        echo.wait().unwrap();
        let output = output.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Wan {
    fn drop(&mut self) {
        self.down();
    }
}

const ECHO: &str = r#"
    $| = 1;
    my $all = IO::Socket::INET->new(LocalAddr => "10.83.0.2:7007", Listen => 5) or die $!;
    print "ready\n";
    while (my $one = $all->accept) {
        local $/;
        my $bytes = <$one>;
        print $one $bytes;
        close $one;
    }
"#;

const CONNECT: &str = r#"
    sub trip {
        my ($bytes) = @_;
        my $begun = time;
        my $s = IO::Socket::INET->new(PeerAddr => "10.83.0.2:7007") or die $!;
        my $connected = time - $begun;
        print $s $bytes;
        $s->flush;
        shutdown $s, 1;
        local $/;
        <$s> eq $bytes or die "other bytes came back";
        return ($connected, time - $begun);
    }
"#;

fn seconds(text: &str) -> Vec<f64> {
    text.split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect()
}

#[test]
fn a_round_trip_takes_as_long_as_it_was_told() {
    let Some(wan) = Wan::up("delay", &["80"]) else {
        return;
    };
    let times = seconds(&wan.with_echo("print join ' ', map { (trip('x'))[0] } 1 .. 5;"));
    // Never less; a machine with much to do may take longer now and then, but not each time.
    let least = times.iter().copied().fold(f64::INFINITY, f64::min);
    assert!((0.080..0.120).contains(&least), "{times:?}");
}

#[test]
fn a_rate_is_kept_and_losses_are_made_good_by_tcp() {
    let Some(wan) = Wan::up("rate", &["10", "40", "0.5"]) else {
        return;
    };
    // 40 Mbit/s are 5 MB/s: 1 MB there and then back takes 0.4 s, and with losses no less.
    let times = seconds(&wan.with_echo("print join ' ', trip('0123456789abcdef' x 65536);"));
    assert!((0.4..10.0).contains(&times[1]), "{times:?}");
}

#[test]
fn down_leaves_nothing_and_a_second_up_is_refused() {
    let Some(wan) = Wan::up("twice", &[]) else {
        return;
    };
    let again = wan.command("up").output().unwrap();
    assert!(!again.status.success());
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("is up; take it down first"), "{said}");
    // The refusal took nothing down.
    assert!(
        wan.command("client")
            .arg("true")
            .status()
            .unwrap()
            .success()
    );

    let state = Path::new("/run/slipway-wan").join(&wan.name);
    let pid = std::fs::read_to_string(state.join("pid")).unwrap();
    assert!(wan.down().status.success());
    assert!(!state.exists());
    // A process that has ended and was not yet waited for has no program any more.
    let program = Path::new("/proc").join(pid.trim()).join("exe");
    assert!(program.read_link().is_err());
    for end in ["client", "server"] {
        assert!(!Path::new(&format!("/run/netns/{}-{end}", wan.name)).exists());
        let gone = wan.command(end).arg("true").output().unwrap();
        assert!(String::from_utf8_lossy(&gone.stderr).contains("is not up"));
    }
    // Nothing to do is no failure.
    assert!(wan.down().status.success());
}

#[test]
fn nonsense_is_refused_with_a_word_about_it() {
    let wan = Wan {
        name: format!("slipway-test-nonsense-{}", std::process::id()),
    };
    for (arguments, word) in [
        (&["soon"][..], "\"soon\" is no number"),
        (&["50", "fast"], "\"fast\" is no number"),
        (&["50", "0", "101"], "\"101\" is no number"),
    ] {
        let output = wan.command("up").args(arguments).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Without what a wire takes, it says that first.
        let cannot = ["needed", "/dev/net/tun", "namespaces"];
        assert!(
            said.contains(word) || cannot.iter().any(|reason| said.contains(reason)),
            "{said}"
        );
        assert!(!Path::new("/run/slipway-wan").join(&wan.name).exists());
    }
}
