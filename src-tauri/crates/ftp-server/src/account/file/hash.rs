//! Passwords as they are kept: Argon2id (RFC 9106) in the PHC string format.

use std::fmt;

use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use ftp_proto::Secret;

use super::UsersFileError;

/// The most memory in KiB that a hash may ask for: a file that somebody has tampered with is no way to stop the server.
const MOST_MEMORY: u32 = 1024 * 1024;

/// The most passes.
const MOST_PASSES: u32 = 64;

/// What is kept of a password: enough to know it again, and not enough to know it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Argon2id with 19 MiB of memory and two passes, as OWASP advises, and a salt of the system's. Takes some 20 ms of one core: not for a thread that
    /// others wait for.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new(password: &Secret) -> Result<Self, UsersFileError> {
        Self::with(password, Params::default())
    }

    fn with(password: &Secret, params: Params) -> Result<Self, UsersFileError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| UsersFileError::Hashing(error.to_string()))?;
        let failed = |error: password_hash::Error| UsersFileError::Hashing(error.to_string());
        let salt = SaltString::encode_b64(&salt).map_err(failed)?;
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(password.expose(), &salt)
            .map_err(failed)?;
        Ok(Self(hash.to_string()))
    }

    /// Takes a hash as it is written in a file: `$argon2id$v=19$m=19456,t=2,p=1$…$…`. Argon2i and Argon2d are taken, too.
    ///
    /// # Errors
    /// None of these, or one that would take more than 1 GiB or 64 passes.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let hash = password_hash::PasswordHash::new(text).map_err(|_| "is no hash")?;
        Algorithm::try_from(hash.algorithm).map_err(|_| "is no hash of Argon2")?;
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err("is no whole hash");
        }
        let params = Params::try_from(&hash).map_err(|_| "has parameters that can't be")?;
        if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES || params.p_cost() > 64 {
            return Err("asks for too much memory or time");
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether it is the hash of this password. Takes as long as making it did, whatever the answer.
    pub fn is_of(&self, password: &Secret) -> bool {
        password_hash::PasswordHash::new(&self.0)
            .and_then(|hash| Argon2::default().verify_password(password.expose(), &hash))
            .is_ok()
    }

    /// A hash that takes as long as this one, and that no password has.
    pub(super) fn like(&self) -> Self {
        // Other bits at the end: no password is known that gives them.
        let mut text = self.0.clone();
        let flipped = match text.pop() {
            Some('A') => 'E',
            _ => 'A',
        };
        text.push(flipped);
        Self::parse(&text).unwrap_or_else(|_| self.clone())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A weak password could be guessed from it.
        f.write_str("PasswordHash(*****)")
    }
}

/// A hash that takes next to no time, for tests in a debug build.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) fn quick(password: &str) -> PasswordHash {
    let params = Params::new(64, 1, 1, None).unwrap();
    PasswordHash::with(&Secret::try_from(password).unwrap(), params).unwrap()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::try_from(text).unwrap()
    }

    #[test]
    fn a_hash_knows_its_password_and_shows_nothing() {
        let hash = quick("hunter2");
        assert!(hash.is_of(&secret("hunter2")));
        assert!(!hash.is_of(&secret("hunter3")));
        assert!(!hash.is_of(&secret("")));
        assert_ne!(hash, quick("hunter2"), "the salt is another");
        assert_eq!(PasswordHash::parse(hash.as_str()).unwrap(), hash);
        assert_eq!(format!("{hash:?}"), "PasswordHash(*****)");
        assert!(!hash.like().is_of(&secret("hunter2")));
        let long = "x".repeat(4000);
        assert!(quick(&long).is_of(&secret(&long)));
    }

    #[test]
    fn the_usual_strength() {
        let hash = PasswordHash::new(&secret("a")).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hash.is_of(&secret("a")));
    }

    /// Known answer: the first test vector of the reference implementation's command line (`echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`).
    #[test]
    fn a_hash_of_another_program() {
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(
            PasswordHash::parse(text)
                .unwrap()
                .is_of(&secret("password"))
        );
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in [
            "",
            "secret",
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=4000000,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=1000000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            assert!(PasswordHash::parse(text).is_err(), "{text}");
        }
    }
}
