//! The built program against our own server, and against peers that misbehave.
#![allow(clippy::unwrap_used)]

mod aioftp;
mod change;
#[cfg(target_os = "linux")]
mod charset;
mod deliver;
mod doctor;
mod download;
mod files;
mod harness;
mod hostile;
mod import;
mod keyring;
mod list;
mod login;
mod mirror;
mod proxy;
mod queue;
mod real;
mod serve;
mod stopping;
mod upload;
mod users;
