//! The wires of the FTP engine: TCP, TLS, timeouts and the copy loops.
//!
//! This is the only engine crate that opens sockets. What the bytes mean is decided in `ftp-proto`;
//! who says what when, in `ftp-client` and `ftp-server`.
#![warn(missing_docs)]

pub mod copy;
mod deflate;
mod dial;
mod error;
mod proxy;
mod stream;
mod tcp;
mod throttle;
pub mod tls;
mod wire;

pub use deflate::{DeflateCounts, DeflateProblem, Deflated, InflateLimits};
pub use dial::Dialer;
pub use error::{NetError, Waited};
pub use proxy::{Proxy, ProxyKind, ProxyLogin, ProxyParseError, ProxyProblem, Said};
pub use stream::{Stream, TlsFacts, shutdown_orderly};
pub use tcp::{Timeouts, connect, connect_addr, dial, listen, listen_in, resolve, source_for};
pub use throttle::{LOOK_AGAIN, Pace, Throttle, Throttles};
