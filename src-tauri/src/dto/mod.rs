//! What crosses the border to the window, and nothing else: plain data with generated TypeScript types.
//!
//! Every type crosses one way only, and so derives either `Serialize` or `Deserialize`; the few that
//! cross both ways (`TlsMode`, `Settings`, `Limits`) have one shape for both. Conversions from domain types stand
//! beside the types.

mod browse;
mod log;
mod number;
mod queue;
mod session;
mod settings;
mod sharing;
mod site;
mod transfer;

pub(crate) use browse::*;
pub(crate) use log::*;
pub(crate) use number::*;
pub(crate) use queue::*;
pub(crate) use session::*;
pub(crate) use settings::*;
pub(crate) use sharing::*;
pub(crate) use site::*;
pub(crate) use transfer::*;
