//! `fuzz TARGET|all`: millions of inputs for a decoder. See `fuzz/README.md`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use clap::Parser;
use fuzz::{
    Target, all,
    driver::{self, Options},
    find,
};

/// Hostile input for every decoder of the engine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which decoder, `all` of them one after the other, or `names` to see what there is
    target: String,
    /// How many inputs each gets
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    inputs: u64,
    /// What everything follows from; by default the clock, and it is printed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Ends each after so many minutes, however many inputs it got
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Tries what is in a file, and nothing else
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Where input that went wrong is kept
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/findings"))]
    findings: PathBuf,
    /// Writes every input down before it is tried: slow, and for faults that end the process
    #[arg(long, hide = true)]
    careful: bool,
    /// Runs in this process
    #[arg(long, hide = true)]
    inside: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.target == "names" {
        for target in all() {
            println!("{:12} {}", target.name, target.about);
        }
        return ExitCode::SUCCESS;
    }
    let targets = match arguments.target.as_str() {
        "all" => all(),
        name => match find(name) {
            Some(target) => vec![target],
            None => {
                eprintln!("no decoder is called {name:?}; `names` lists them");
                return ExitCode::from(2);
            }
        },
    };
    if let Some(file) = &arguments.replay {
        return replay(&targets, file);
    }
    let seed = arguments.seed.unwrap_or_else(|| {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        since.as_secs()
    });
    let options = Options {
        inputs: arguments.inputs,
        seed,
        limit: arguments
            .minutes
            .map(|minutes| Duration::from_secs_f64((minutes * 60.0).max(0.0))),
        findings: arguments.findings,
        careful: arguments.careful,
    };
    let mut good = true;
    for target in targets {
        good &= if arguments.inside {
            inside(&target, &options)
        } else {
            outside(&target, &options)
        };
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A process for each target: whatever becomes of it, the others get their turn.
fn outside(target: &Target, options: &Options) -> bool {
    let child = |careful: bool| {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([
                target.name,
                "--inside",
                "--inputs",
                &options.inputs.to_string(),
                "--seed",
                &options.seed.to_string(),
            ])
            .arg("--findings")
            .arg(&options.findings);
        if let Some(limit) = options.limit {
            command.args(["--minutes", &(limit.as_secs_f64() / 60.0).to_string()]);
        }
        if careful {
            command.arg("--careful");
        }
        command.status()
    };
    match child(options.careful) {
        Ok(status) if status.success() => true,
        Ok(status) if status.code().is_some_and(|code| code < 100) => false,
        Ok(status) => {
            eprintln!(
                "{}: the process ended with {status}; once more, writing every input down",
                target.name
            );
            let again = child(true);
            let current = driver::current(options, target);
            match again {
                Ok(again) if !again.success() => say(target, &current, &again.to_string()),
                _ => eprintln!(
                    "{}: it did not happen again (--seed {})",
                    target.name, options.seed
                ),
            }
            false
        }
        Err(error) => {
            eprintln!("{}: no process: {error}", target.name);
            false
        }
    }
}

fn inside(target: &Target, options: &Options) -> bool {
    // Panics are findings, and are told as such.
    std::panic::set_hook(Box::new(|_| {}));
    let report = driver::run(target, options);
    let seconds = report.took.as_secs_f64().max(0.001);
    println!(
        "{:12} {:>10} inputs {:>9.1} MB {:>7.1} s {:>9.0}/s {:>5} ways  {}",
        target.name,
        report.inputs,
        report.bytes as f64 / 1e6,
        seconds,
        report.inputs as f64 / seconds,
        report.ways,
        if report.findings.is_empty() {
            "nothing wrong".to_owned()
        } else {
            format!(
                "{} FINDINGS (--seed {})",
                report.findings.len(),
                options.seed
            )
        }
    );
    for (path, why) in &report.findings {
        say(target, path, why);
    }
    report.findings.is_empty()
}

fn say(target: &Target, path: &Path, why: &str) {
    eprintln!(
        "{}: {}\n    again: cargo run -p fuzz -- {} --replay {}",
        target.name,
        ftp_proto::escape(why.as_bytes(), 2000),
        target.name,
        path.display()
    );
}

/// With the backtrace of the first panic, where `$RUST_BACKTRACE` asks for it.
fn replay(targets: &[Target], file: &Path) -> ExitCode {
    let input = match std::fs::read(file) {
        Ok(input) => input,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    let mut good = true;
    for target in targets {
        match driver::try_one(target, &input) {
            Ok(_) => println!("{}: nothing wrong", target.name),
            Err(why) => {
                good = false;
                eprintln!(
                    "{}: {}",
                    target.name,
                    ftp_proto::escape(why.as_bytes(), 2000)
                );
            }
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
