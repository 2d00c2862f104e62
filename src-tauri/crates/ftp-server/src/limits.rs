//! The bounds of a server, all with defaults that suit a machine on the open network.

use std::num::NonZeroU64;
use std::time::Duration;

/// How much, how many, how long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Sessions at a time; the next one is told 421. Default 256.
    pub connections: usize,
    /// Sessions at a time from one address (from one /64 with IPv6). Default 64.
    pub connections_per_address: usize,
    /// Sessions at a time that haven't logged in. When there are as many, the oldest of them that has had five seconds for it gives
    /// way to a new one; otherwise the new one is told 421. Default 128.
    pub half_open: usize,
    /// From the connection to the end of login. Default one minute.
    pub login: Duration,
    /// From one command to the next, outside transfers. Default five minutes.
    pub idle: Duration,
    /// For the client to take a reply. Default 30 seconds.
    pub reply: Duration,
    /// From the transfer command to the data connection. Default 30 seconds.
    pub data_wait: Duration,
    /// For the next byte on a data connection, in either direction. Default one minute.
    pub data_idle: Duration,
    /// For a TLS handshake, on either connection. Default 15 seconds.
    pub handshake: Duration,
    /// Wrong passwords until the connection is closed with 421. Default 3.
    pub wrong_passwords: u32,
    /// How long the answer to the first wrong password of an address takes; each further one takes twice as long. Default one second.
    pub wrong_password_delay: Duration,
    /// What that grows to at most. Default eight seconds.
    pub longest_password_delay: Duration,
    /// Wrong passwords of one address (of one /64 with IPv6), whatever the names and connections, until it is shut out; 0 never
    /// shuts out. Connections at the same time may bring a few more. Default 20.
    pub lockout_after: u32,
    /// A pause of this length between two wrong passwords forgets those before. Default ten minutes.
    pub lockout_window: Duration,
    /// How long an address is shut out: new connections and logins are told 421. Default ten minutes.
    pub lockout: Duration,
    /// For the tree to do what a command needs; then it is answered with 451. Not for transfers, nor for what takes long by its
    /// nature: logins, hashes, commands of one's own. Default one minute.
    pub path: Duration,
    /// Bytes that a transfer moves at once where it doesn't go from file to socket by itself. Default 256 KiB.
    pub block: usize,
    /// Commands that may wait while a transfer runs; reading stops at this number. Default 256.
    pub queued_commands: usize,
}

/// "For ever", as far as clocks can count.
pub(crate) const FOREVER: Duration = Duration::from_secs(365 * 86_400);

impl Limits {
    /// The same with times that can be added to the present one.
    pub(crate) fn bounded(mut self) -> Self {
        for time in [
            &mut self.login,
            &mut self.idle,
            &mut self.reply,
            &mut self.data_wait,
            &mut self.data_idle,
            &mut self.handshake,
            &mut self.wrong_password_delay,
            &mut self.longest_password_delay,
            &mut self.lockout_window,
            &mut self.lockout,
            &mut self.path,
        ] {
            *time = (*time).min(FOREVER);
        }
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_per_address: 64,
            half_open: 128,
            login: Duration::from_secs(60),
            idle: Duration::from_secs(300),
            reply: Duration::from_secs(30),
            data_wait: Duration::from_secs(30),
            data_idle: Duration::from_secs(60),
            handshake: Duration::from_secs(15),
            wrong_passwords: 3,
            wrong_password_delay: Duration::from_secs(1),
            longest_password_delay: Duration::from_secs(8),
            lockout_after: 20,
            lockout_window: Duration::from_secs(600),
            lockout: Duration::from_secs(600),
            path: Duration::from_secs(60),
            block: vfs::CHUNK,
            queued_commands: 256,
        }
    }
}

/// What an encrypted data connection must prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataSession {
    /// Nothing beyond its address: any handshake will do.
    #[default]
    Any,
    /// It must resume a session of this server.
    Resumed,
    /// It must resume a session of its own control connection, so that nobody else can take its place.
    Same,
}

/// Limits of speed in bytes per second; none of both by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpeedLimits {
    /// What goes to clients: downloads and listings.
    pub download: Option<NonZeroU64>,
    /// What comes from clients.
    pub upload: Option<NonZeroU64>,
}

/// What one user may have of the server; without limits by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountLimits {
    /// Sessions of this user at a time.
    pub connections: Option<usize>,
    /// Shared by all sessions of this user.
    pub speed: SpeedLimits,
    /// For each session of this user.
    pub session_speed: SpeedLimits,
}
