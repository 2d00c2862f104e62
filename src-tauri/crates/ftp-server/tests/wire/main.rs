//! The server, driven over real sockets by a client that knows nothing but bytes.
#![allow(clippy::unwrap_used)]

mod abuse;
mod bounds;
mod charset;
mod client;
mod custom;
mod files;
mod hanging;
mod host;
mod layers;
mod limits;
mod live;
mod login;
mod modes;
mod order;
mod persistent;
mod profile;
mod speed;
mod tls;
mod verbs;
