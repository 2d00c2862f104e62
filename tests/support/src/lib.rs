//! What the tests of Slipway stand on: real servers from Debian packages and from PyPI, peers that follow a script, and a
//! throw-away certificate authority.
//!
//! This crate knows FTP only as bytes on a wire. It uses none of the engine's crates, so that the engine is
//! never tested against its own idea of the protocol.
#![warn(missing_docs)]
// A test helper that can't do its work stops the test on the spot, saying why.
#![allow(clippy::unwrap_used)]

pub mod ca;
pub mod packages;
pub mod proxy;
mod python;
pub mod scripted;
pub mod servers;
mod skip;

pub use ca::{Authority, Certificate};
pub use proxy::{Asked, BadProxy, ProxyRules, ProxyServer};
pub use python::with_aioftp;
pub use scripted::{Gate, Peer, Script, ScriptError, Transcript};
pub use servers::{Kind, Options, RealServer, StartError, Tls};
pub use skip::{Skipped, skip_loudly, target_dir};
