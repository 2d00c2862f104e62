//! The window's binary: reads the command line, then hands over.

// No console window beside the real one.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::process::ExitCode;

use slipway_lib::cli::{Invocation, USAGE};

fn main() -> ExitCode {
    match Invocation::parse(std::env::args_os().skip(1)) {
        Ok(Invocation::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Invocation::Version) => {
            println!("slipway {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Invocation::Window { practice }) => match slipway_lib::run(practice) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("slipway: {error}");
                ExitCode::FAILURE
            }
        },
        Err(unknown) => {
            eprint!("slipway: {unknown}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
