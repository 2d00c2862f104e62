//! The numbers and words that the protocol, and custom, have settled.

use std::time::Duration;

/// What ends a line on the control connection (RFC 959 section 3.1.1.1).
pub const END_OF_LINE: &str = "\r\n";
/// How many bytes a block has where nobody says otherwise.
pub const DEFAULT_BLOCK_SIZE: usize = 8192;
/// The port of control connections (RFC 959 section 3.2).
pub const DEFAULT_PORT: u16 = 21;
/// The port of control connections in TLS from the first byte on.
pub const DEFAULT_IMPLICIT_TLS_PORT: u16 = 990;
/// Who logs in where nobody says who (RFC 1635).
pub const DEFAULT_USER: &str = "anonymous";
/// What is given for a password then: servers want it to look like an address.
pub const DEFAULT_PASSWORD: &str = "anon@";
/// The account where nobody names one: none is sent.
pub const DEFAULT_ACCOUNT: &str = "";
/// Half a mean year: `ls` writes the year of what is older, and the time of day of what is younger.
pub const HALF_OF_YEAR: Duration = Duration::from_secs(15_778_476);
/// Half of four years with their leap day.
pub const TWO_YEARS: Duration = Duration::from_secs((365 * 3 + 366) * 86_400 / 2);
/// Longer than anybody waits: for a limit that is none.
pub const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);
