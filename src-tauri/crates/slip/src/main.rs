//! The command line of Slipway: see `slip --help` and docs/slip.md.

mod arguments;
mod ask;
mod batch;
mod cli;
mod commands;
mod connect;
mod data;
mod exit;
mod output;
mod password;
mod plan;
mod progress;
mod report;
mod servers;
mod signals;
mod url;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::exit::Status;
use crate::output::Output;

fn main() -> ExitCode {
    let (arguments, moved) = arguments::hide_passwords(std::env::args_os().collect());
    let cli = match cli::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = Output {
        json: cli.options.json,
        quiet: cli.options.quiet,
        verbose: cli.options.verbose,
    };
    log(output);
    // Transfers have threads of their own; these only look after control connections.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            output.message(format!("can't start: {error}"));
            return ExitCode::from(Status::SomeFailed as u8);
        }
    };
    let status = match runtime.block_on(commands::run(cli, moved, output)) {
        Ok(status) => status,
        Err(failure) => {
            if !matches!(failure, exit::Failure::BrokenPipe) {
                output.message(&failure);
            }
            failure.status()
        }
    };
    // A thread may still wait for standard input; nobody waits for it.
    runtime.shutdown_background();
    ExitCode::from(status as u8)
}

/// Help and version go to standard output; what is wrong with the arguments goes to standard error, without anything
/// that could be a password.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let text = url::redact(&error.render().to_string());
        let _ = write!(std::io::stderr(), "{text}");
        return ExitCode::from(Status::Usage as u8);
    }
    // A closed pipe is no error: `slip --help | head -1`.
    let _ = error.print();
    ExitCode::SUCCESS
}

/// What the engine has to remark, on standard error: `SLIP_LOG` says how much.
fn log(output: Output) {
    let filter = EnvFilter::try_from_env("SLIP_LOG").unwrap_or_else(|_| {
        EnvFilter::new(if output.quiet {
            "off"
        } else {
            "transfer=warn,ftp_server=warn"
        })
    });
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
}
