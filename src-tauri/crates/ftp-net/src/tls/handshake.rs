use std::{io, sync::Arc};

use rustls::{
    ClientConfig,
    client::UnbufferedClientConnection,
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus},
};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::records::record_len;
use crate::NetError;

/// What is read from the socket at once during a handshake.
const READ: usize = 16 * 1024;

/// What to do next in a handshake.
enum Step {
    Again,
    Send,
    Receive,
    Done,
}

/// A handshake, record by record, so that none is taken that belongs to what comes after it. The result is the
/// connection, and what was read of the records after.
pub(super) async fn shake_hands(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    tcp: &mut TcpStream,
) -> Result<(UnbufferedClientConnection, Vec<u8>), NetError> {
    let failed = |error: rustls::Error| NetError::from_handshake(io::Error::other(error));
    let mut connection = UnbufferedClientConnection::new(config, name).map_err(failed)?;
    let (mut ahead, mut record, mut out) = (Vec::with_capacity(READ), Vec::new(), Vec::new());
    loop {
        let UnbufferedStatus { discard, state } = connection.process_tls_records(&mut record);
        let step = match state {
            Ok(ConnectionState::EncodeTlsData(data)) => {
                encode(data, &mut out)?;
                Step::Again
            }
            Ok(ConnectionState::TransmitTlsData(sent)) => {
                sent.done();
                Step::Send
            }
            Ok(ConnectionState::BlockedHandshake) => Step::Receive,
            Ok(ConnectionState::WriteTraffic(_)) => Step::Done,
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => return Err(closed()),
            Ok(_) => {
                return Err(NetError::Tls {
                    reason: "data before the end of the handshake".to_owned(),
                    eof: false,
                });
            }
            Err(error) => {
                // The peer is told why, if it still listens.
                record.clear();
                let status = connection.process_tls_records(&mut record);
                if let Ok(ConnectionState::EncodeTlsData(data)) = status.state
                    && encode(data, &mut out).is_ok()
                {
                    let _ = tcp.write_all(&out).await;
                }
                return Err(failed(error));
            }
        };
        record.drain(..discard);
        match step {
            Step::Again => {}
            Step::Send => {
                tcp.write_all(&out)
                    .await
                    .map_err(NetError::from_handshake)?;
                out.clear();
            }
            Step::Receive => {
                let len = loop {
                    if let Some(len) = record_len(&ahead)?
                        && len <= ahead.len()
                    {
                        break len;
                    }
                    let read = tcp.read_buf(&mut ahead).await;
                    if read.map_err(NetError::from_handshake)? == 0 {
                        return Err(closed());
                    }
                };
                record.extend(ahead.drain(..len));
            }
            Step::Done => return Ok((connection, ahead)),
        }
    }
}

fn closed() -> NetError {
    NetError::from_handshake(io::ErrorKind::UnexpectedEof.into())
}

fn encode<Data>(mut data: EncodeTlsData<'_, Data>, out: &mut Vec<u8>) -> Result<(), NetError> {
    let before = out.len();
    let failed = |error: EncodeError| NetError::Tls {
        reason: error.to_string(),
        eof: false,
    };
    let written = match data.encode(&mut []) {
        Err(EncodeError::InsufficientSize(need)) => {
            out.resize(before + need.required_size, 0);
            data.encode(&mut out[before..])
        }
        other => other,
    };
    out.truncate(before + written.map_err(failed)?);
    Ok(())
}
