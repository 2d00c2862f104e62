//! The language of FTP: commands, replies, features, listings, addresses, paths and times.
//!
//! Pure: no sockets, no clock, no runtime. Encoders and decoders go both ways, since the client and the
//! server use the same types. Decoders are incremental and bounded, tell *incomplete* from
//! *malformed*, and never panic, whatever the bytes.
#![warn(missing_docs)]

mod addr;
mod argument;
mod charset;
mod command;
mod escape;
mod feat;
mod line;
pub mod listing;
mod path;
mod pwd;
mod reply;
mod style;
mod time;

pub use addr::{
    AddrError, format_eprt, format_epsv, format_pasv, format_port, parse_eprt, parse_epsv,
    parse_pasv, parse_port,
};
pub use argument::{Argument, ArgumentError, Secret};
pub use charset::{Charset, CharsetError, EncodeError};
pub use command::{Command, CommandError, Epsv};
pub use escape::escape;
pub use feat::Features;
pub use line::{LineDecoder, LineError};
pub use path::{Name, NameError, RemotePath};
pub use pwd::{PwdError, parse_257, quote_257};
pub use reply::{Code, Reply, ReplyDecoder, ReplyError};
pub use style::PathStyle;
pub use time::{Precision, TimeError, format_time, parse_time};
