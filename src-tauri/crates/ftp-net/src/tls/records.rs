use std::ops::Range;

use rustls::{
    ConnectionTrafficSecrets, ContentType, ExtractedSecrets, ProtocolVersion, SupportedCipherSuite,
    client::{ClientConnectionData, UnbufferedClientConnection},
    crypto::cipher::{
        InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks,
        OutboundPlainMessage,
    },
    kernel::KernelConnection,
};

use crate::NetError;

/// Type, version and length come before every record (RFC 8446 section 5.1).
pub(crate) const HEADER: usize = 5;
/// The most that may follow: 2^14 bytes, and what encryption adds (RFC 5246 section 6.2.3; TLS 1.3 has 256 bytes for it).
const MOST: usize = 16_384 + 2_048;
/// A session ticket of 64 KiB and what goes with it.
const MOST_MESSAGE: usize = 66_000;
/// A peer that changes its keys more often than this in one transfer is up to no good.
const MOST_KEY_UPDATES: u32 = 1_000;

const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;
const HELLO_REQUEST: u8 = 0;
const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;
const WARNING: u8 = 1;

/// The records of a connection whose handshake is done, decrypted where they lie.
///
/// rustls itself copies what it receives three times before the caller has it. For downloads of gigabytes its own means are
/// put together here without the copies: the keys, the cipher and the handling of tickets and new keys are all rustls's.
pub(crate) struct Records {
    kernel: KernelConnection<ClientConnectionData>,
    opener: Box<dyn MessageDecrypter>,
    opened: u64,
    sealer: Box<dyn MessageEncrypter>,
    sealed: u64,
    /// Handshake messages as far as they have come.
    messages: Vec<u8>,
    key_updates: u32,
    /// What has to be sent, encrypted.
    pub(crate) out: Vec<u8>,
    /// The peer has said goodbye.
    pub(crate) closed: bool,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

/// How long the record is that begins here, with its header; `None` until enough of it has come.
pub(crate) fn record_len(bytes: &[u8]) -> Result<Option<usize>, NetError> {
    let [_, _, _, high, low, ..] = bytes else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    if len > MOST {
        return Err(tls("a record is longer than TLS allows"));
    }
    Ok(Some(HEADER + len))
}

impl Records {
    /// Takes over a connection after its handshake.
    pub(super) fn new(connection: UnbufferedClientConnection) -> Result<Self, NetError> {
        let (secrets, kernel) = connection
            .dangerous_into_kernel_connection()
            .map_err(|error| tls(error.to_string()))?;
        let ExtractedSecrets {
            tx: (sealed, sealing),
            rx: (opened, opening),
        } = secrets;
        let suite = kernel.negotiated_cipher_suite();
        Ok(Self {
            opener: opener(suite, opening),
            opened,
            sealer: sealer(suite, sealing),
            sealed,
            kernel,
            messages: Vec::new(),
            key_updates: 0,
            out: Vec::new(),
            closed: false,
        })
    }

    /// Decrypts a whole record in its place. The result is where in it the data are: nowhere, in a record of TLS's own.
    pub(crate) fn open(&mut self, record: &mut [u8]) -> Result<Range<usize>, NetError> {
        let Some((&mut [typ, major, minor, _, _], body)) = record.split_first_chunk_mut() else {
            return Err(tls("a record without a header"));
        };
        let start = body.as_ptr() as usize;
        let version = ProtocolVersion::from(u16::from_be_bytes([major, minor]));
        let message = InboundOpaqueMessage::new(ContentType::from(typ), version, body);
        let plain = self
            .opener
            .decrypt(message, self.opened)
            .map_err(|error| tls(error.to_string()))?;
        self.opened += 1;
        match plain.typ {
            ContentType::ApplicationData => {
                let offset = HEADER + plain.payload.as_ptr() as usize - start;
                Ok(offset..offset + plain.payload.len())
            }
            ContentType::Alert => {
                match *plain.payload {
                    [_, CLOSE_NOTIFY] => self.closed = true,
                    [_, USER_CANCELED] => {}
                    [WARNING, _] if !self.is_tls13() => {}
                    [_, alert] => {
                        let alert = rustls::AlertDescription::from(alert);
                        return Err(tls(format!("the peer sent an alert: {alert:?}")));
                    }
                    _ => return Err(tls("an alert that is none")),
                }
                Ok(0..0)
            }
            ContentType::Handshake => {
                self.messages.extend_from_slice(plain.payload);
                self.read_messages()?;
                Ok(0..0)
            }
            other => Err(tls(format!("an unexpected record: {other:?}"))),
        }
    }

    fn is_tls13(&self) -> bool {
        self.kernel.protocol_version() == ProtocolVersion::TLSv1_3
    }

    /// The messages that may come after the handshake (RFC 8446 section 4.6).
    fn read_messages(&mut self) -> Result<(), NetError> {
        while let [kind, a, b, c, rest @ ..] = &self.messages[..] {
            let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if len > MOST_MESSAGE {
                return Err(tls("a handshake message is too long"));
            }
            let Some(body) = rest.get(..len) else {
                break;
            };
            match *kind {
                NEW_SESSION_TICKET if self.is_tls13() => self
                    .kernel
                    .handle_new_session_ticket(body)
                    .map_err(|error| tls(error.to_string()))?,
                KEY_UPDATE if self.is_tls13() => {
                    let answer = match *body {
                        [0] => false,
                        [1] => true,
                        _ => return Err(tls("a key update that is none")),
                    };
                    if rest.len() > len {
                        return Err(tls("data behind a key update, under the old key"));
                    }
                    self.update_keys(answer)?;
                }
                // It asks for a new handshake, which nobody has to make.
                HELLO_REQUEST if !self.is_tls13() => {}
                other => return Err(tls(format!("an unexpected handshake message: {other}"))),
            }
            self.messages.drain(..4 + len);
        }
        Ok(())
    }

    fn update_keys(&mut self, answer: bool) -> Result<(), NetError> {
        self.key_updates += 1;
        if self.key_updates > MOST_KEY_UPDATES {
            return Err(tls("the peer changes its keys without end"));
        }
        let suite = self.kernel.negotiated_cipher_suite();
        let failed = |error: rustls::Error| tls(error.to_string());
        let (opened, secrets) = self.kernel.update_rx_secret().map_err(failed)?;
        (self.opener, self.opened) = (opener(suite, secrets), opened);
        if answer {
            self.seal(ContentType::Handshake, &[KEY_UPDATE, 0, 0, 1, 0])?;
            let (sealed, secrets) = self.kernel.update_tx_secret().map_err(failed)?;
            (self.sealer, self.sealed) = (sealer(suite, secrets), sealed);
        }
        Ok(())
    }

    /// Puts our goodbye behind what has to be sent.
    pub(crate) fn say_goodbye(&mut self) -> Result<(), NetError> {
        self.seal(ContentType::Alert, &[WARNING, CLOSE_NOTIFY])
    }

    fn seal(&mut self, typ: ContentType, payload: &[u8]) -> Result<(), NetError> {
        let message = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        let record = self
            .sealer
            .encrypt(message, self.sealed)
            .map_err(|error| tls(error.to_string()))?;
        self.sealed += 1;
        self.out.extend_from_slice(&record.encode());
        Ok(())
    }
}

fn tls(reason: impl Into<String>) -> NetError {
    NetError::Tls {
        reason: reason.into(),
        eof: false,
    }
}

/// In TLS 1.2, AES-GCM has 4 bytes of its nonce from the handshake; the other 8 come with each record (RFC 5288 section 3).
const SALT: usize = 4;

fn opener(
    suite: SupportedCipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Box<dyn MessageDecrypter> {
    let (key, iv, gcm) = parts(secrets);
    match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.decrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) if gcm => {
            suite.aead_alg.decrypter(key, &iv.as_ref()[..SALT])
        }
        SupportedCipherSuite::Tls12(suite) => suite.aead_alg.decrypter(key, iv.as_ref()),
    }
}

fn sealer(
    suite: SupportedCipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Box<dyn MessageEncrypter> {
    let (key, iv, gcm) = parts(secrets);
    match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) if gcm => {
            let (salt, explicit) = iv.as_ref().split_at(SALT);
            suite.aead_alg.encrypter(key, salt, explicit)
        }
        SupportedCipherSuite::Tls12(suite) => suite.aead_alg.encrypter(key, iv.as_ref(), &[]),
    }
}

fn parts(secrets: ConnectionTrafficSecrets) -> (rustls::crypto::cipher::AeadKey, Iv, bool) {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (key, iv, true),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv, false),
        // rustls has no others, and says so by `non_exhaustive` only.
        _ => unreachable!("a cipher that the configuration does not offer"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_says_how_long_it_is() {
        assert_eq!(record_len(&[23, 3, 3, 0]).unwrap(), None);
        assert_eq!(record_len(&[23, 3, 3, 1, 2]).unwrap(), Some(HEADER + 258));
        assert!(record_len(&[23, 3, 3, 0xff, 0xff, 0]).is_err());
    }
}
