//! The bounds of a server one by one; [`Limits`](crate::Limits) says what each is, and has them all at once.

use std::time::Duration;

use crate::builder::ServerBuilder;

impl ServerBuilder {
    /// Sessions at a time; the next one is told 421.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// Sessions at a time from one address.
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.limits.connections_per_address = connections;
        self
    }

    /// Sessions at a time that haven't logged in.
    pub fn max_half_open(mut self, connections: usize) -> Self {
        self.limits.half_open = connections;
        self
    }

    /// From the connection to the end of login.
    pub fn login_timeout(mut self, time: Duration) -> Self {
        self.limits.login = time;
        self
    }

    /// From one command to the next, outside transfers.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.limits.idle = time;
        self
    }

    /// For the sockets: for the client to take a reply, and for the next byte on a data connection, in either direction.
    pub fn socket_timeout(mut self, time: Duration) -> Self {
        self.limits.reply = time;
        self.limits.data_idle = time;
        self
    }

    /// From the transfer command to the data connection; then 425.
    pub fn data_wait_timeout(mut self, time: Duration) -> Self {
        self.limits.data_wait = time;
        self
    }

    /// For the tree to do what a command needs; then 451.
    pub fn path_timeout(mut self, time: Duration) -> Self {
        self.limits.path = time;
        self
    }

    /// For a TLS handshake, on either connection.
    pub fn handshake_timeout(mut self, time: Duration) -> Self {
        self.limits.handshake = time;
        self
    }

    /// Bytes that a transfer moves at once where it doesn't go from file to socket by itself; at least 512, at most 16 MiB.
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.limits.block = bytes;
        self
    }

    /// Wrong passwords until the connection is closed with 421.
    pub fn wrong_passwords(mut self, number: u32) -> Self {
        self.limits.wrong_passwords = number;
        self
    }

    /// Shuts an address out for `time` after so many wrong passwords; 0 never does.
    pub fn lockout(mut self, wrong_passwords: u32, time: Duration) -> Self {
        self.limits.lockout_after = wrong_passwords;
        self.limits.lockout = time;
        self
    }
}
