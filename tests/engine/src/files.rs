//! Whole files through a client, in both of its ways.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
};

use ftp_client::{Client, Error, Progress};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::path;

/// Stores a file as a stream.
pub async fn put(client: &Client, name: &str, content: &[u8]) -> Result<(), Error> {
    let mut upload = client.stor(&path(name), 0).await?;
    // A server that refuses half-way says why with its reply, which `finish` gives.
    let _ = upload.write_all(content).await;
    upload.finish().await
}

/// Fetches a file as a stream, from `offset` on.
pub async fn get(client: &Client, name: &str, offset: u64) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let mut download = client.retr(&path(name), offset).await?;
    let _ = download.read_to_end(&mut content).await;
    download.finish().await?;
    Ok(content)
}

/// Stores a file by the copy loop.
pub async fn put_by_copy(client: &Client, name: &str, content: &[u8]) -> Result<u64, Error> {
    let upload = client.stor(&path(name), 0).await?;
    upload
        .copy_from_file(file_with(content), Progress::default())
        .await
}

/// Fetches a file by the copy loop.
pub async fn get_by_copy(client: &Client, name: &str) -> Result<Vec<u8>, Error> {
    let mut target = tempfile::tempfile().unwrap();
    let download = client.retr(&path(name), 0).await?;
    let bytes = download
        .copy_to_file(target.try_clone().unwrap(), Progress::default())
        .await?;
    let mut content = Vec::new();
    target.rewind().unwrap();
    target.read_to_end(&mut content).unwrap();
    assert_eq!(bytes, content.len() as u64);
    Ok(content)
}

/// A file without a name that holds `content`, at its beginning.
pub fn file_with(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}
