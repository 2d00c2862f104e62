use ftp_client::{Error, HashAlgorithm};
use serde::Serialize;

use super::Told;
use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};
use crate::url::Url;

/// `--json` beside `url` and `error`.
#[derive(Debug, Default, Serialize)]
struct Hashed {
    algorithm: Option<&'static str>,
    hash: Option<String>,
}

impl Told for Hashed {
    fn lines(&self, url: &Url) -> Vec<String> {
        match (self.algorithm, &self.hash) {
            (Some(algorithm), Some(hash)) => vec![format!("{algorithm} ({url}) = {hash}")],
            _ => Vec::new(),
        }
    }
}

/// Lets the server compute hashes.
pub(crate) async fn run(hash: &cli::Hash, connections: &Connections) -> Result<Status, Failure> {
    let one = hash
        .algorithm
        .map(|algorithm| [HashAlgorithm::from(algorithm)]);
    let wanted: &[HashAlgorithm] = one.as_ref().map_or(&HashAlgorithm::ALL, |one| one);
    super::each_telling(
        connections,
        &hash.urls,
        false,
        async |session, url, path| {
            let failure = |error: Error| Failure::remote(url.to_string(), error);
            let Some(path) = path else {
                return Err(Failure::usage(format!("{url}: this names no file")));
            };
            // Who asks for nothing else wants every way looked for.
            session.client.has_site("XMD5").await.map_err(failure)?;
            match session.client.hash(path, wanted).await.map_err(failure)? {
                Some((algorithm, hash)) => Ok(Hashed {
                    algorithm: Some(algorithm.name()),
                    hash: Some(hash),
                }),
                None => Err(Failure::Other(format!(
                    "{url}: the server computes no {}",
                    one.map_or("hashes", |[algorithm]| algorithm.name())
                ))),
            }
        },
    )
    .await
}
