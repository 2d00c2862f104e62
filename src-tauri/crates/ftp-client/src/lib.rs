//! The FTP client: a cloneable handle over one task that owns the control connection.
#![warn(missing_docs)]
