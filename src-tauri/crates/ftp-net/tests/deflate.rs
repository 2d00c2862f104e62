//! MODE Z: what is packed on one side is unpacked on the other, and what can't be is a clear error.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Seek, Write},
    num::NonZeroU64,
    time::{Duration, Instant},
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use ftp_net::{
    DeflateProblem, InflateLimits, NetError, Stream, Throttle,
    copy::{self, Bound, CopyOptions, Progress},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const IDLE: Duration = Duration::from_secs(10);

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap());
    let (ours, theirs) = tokio::join!(ours, listener.accept());
    (ours.unwrap(), theirs.unwrap().0)
}

/// Text as pages are: it packs well, and not absurdly so.
fn text(len: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 1_u32;
    while text.len() < len {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!("<p>line {} of the page</p>\n", number >> 16));
    }
    text.truncate(len);
    text.into_bytes()
}

fn pack(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn unpack(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    ZlibDecoder::new(data).read_to_end(&mut plain).unwrap();
    plain
}

/// Reads what a peer sends that sends just this.
async fn inflated(sent: Vec<u8>, limits: InflateLimits) -> Result<Vec<u8>, NetError> {
    let (ours, mut theirs) = pair().await;
    let sender = tokio::spawn(async move {
        // A reader that has seen enough hangs up.
        let _ = theirs.write_all(&sent).await;
    });
    let mut stream = Stream::Plain(ours).inflating(limits);
    let mut plain = Vec::new();
    let outcome = stream.read_to_end(&mut plain).await;
    drop(stream);
    sender.await.unwrap();
    outcome.map(|_| plain).map_err(NetError::from_io)
}

fn problem(error: NetError) -> DeflateProblem {
    match error {
        NetError::Deflate(problem) => problem,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn files_of_every_size_come_out_as_they_went_in() {
    let mut files: Vec<_> = [0, 1, 100, 65_535, 65_536, 65_537, 3_000_000]
        .map(text)
        .into();
    // What is packed already gets no smaller, and fills every buffer on the way.
    files.push(pack(&text(20_000_000)));
    for plain in files {
        let len = plain.len();
        let got = inflated(pack(&plain), InflateLimits::default()).await;
        assert!(got.unwrap() == plain, "{len} bytes in");

        let (ours, mut theirs) = pair().await;
        let data = plain.clone();
        let sender = tokio::spawn(async move {
            let mut stream = Stream::Plain(ours).deflating(6);
            for piece in data.chunks(10_007) {
                stream.write_all(piece).await.unwrap();
            }
            stream.shutdown().await.unwrap();
            let counts = stream.deflate_counts().unwrap();
            (counts.wire(), counts.file(), counts.ratio().unwrap())
        });
        let mut packed = Vec::new();
        theirs.read_to_end(&mut packed).await.unwrap();
        let (wire, file, ratio) = sender.await.unwrap();
        assert!(unpack(&packed) == plain, "{len} bytes out");
        assert_eq!((wire, file), (packed.len() as u64, len as u64));
        assert!(
            !plain.starts_with(b"<p>") || ratio > 2.0 || len < 1000,
            "{ratio}"
        );
    }
}

#[tokio::test]
async fn what_is_flushed_arrives_before_the_end() {
    let (ours, theirs) = pair().await;
    let mut sending = Stream::Plain(ours).deflating(1);
    let mut receiving = Stream::Plain(theirs).inflating(InflateLimits::default());
    let mut buffer = [0; 100];
    for word in ["first", "second"] {
        sending.write_all(word.as_bytes()).await.unwrap();
        sending.flush().await.unwrap();
        // A flush without anything new adds nothing.
        let before = sending.deflate_counts().unwrap().wire();
        sending.flush().await.unwrap();
        assert_eq!(sending.deflate_counts().unwrap().wire(), before);
        let read = receiving.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..read], word.as_bytes());
    }
    sending.shutdown().await.unwrap();
    assert_eq!(receiving.read(&mut buffer).await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_with_nothing_to_send_may_send_nothing() {
    let got = inflated(Vec::new(), InflateLimits::default()).await;
    assert_eq!(got.unwrap(), b"");
}

#[tokio::test]
async fn a_stream_that_is_cut_off_anywhere_is_an_error() {
    let packed = pack(&text(5000));
    for len in [
        1,
        2,
        10,
        packed.len() / 2,
        packed.len() - 4,
        packed.len() - 1,
    ] {
        let error = inflated(packed[..len].to_vec(), InflateLimits::default())
            .await
            .unwrap_err();
        let wire = len as u64;
        assert_eq!(problem(error), DeflateProblem::Truncated { wire });
    }
}

#[tokio::test]
async fn what_is_damaged_or_goes_on_behind_its_end_is_an_error() {
    let packed = pack(&text(5000));
    let mut checksum = packed.clone();
    *checksum.last_mut().unwrap() ^= 1;
    let mut middle = packed.clone();
    middle[300] ^= 0xff;
    // A listing that is not compressed at all; a stream that needs a dictionary.
    let plain = b"-rw-r--r-- 1 ftp ftp 3 Jan 1 2020 a\r\n".to_vec();
    let dictionary = vec![0x78, 0xbb, 1, 2, 3, 4, 5, 6];
    for bad in [checksum, middle, plain, dictionary] {
        let error = inflated(bad, InflateLimits::default()).await.unwrap_err();
        assert!(matches!(problem(error), DeflateProblem::Damaged { .. }));
    }
    let mut longer = packed;
    longer.extend(b"226 done");
    let error = inflated(longer, InflateLimits::default()).await;
    assert_eq!(problem(error.unwrap_err()), DeflateProblem::Trailing);
}

#[tokio::test]
async fn a_bomb_is_found_out_and_a_well_packed_file_is_none() {
    let zeros = vec![0; 40 * 1024 * 1024];
    let bomb = pack(&zeros);
    assert!(bomb.len() < 50_000);
    let error = inflated(bomb.clone(), InflateLimits::default()).await;
    let DeflateProblem::Bomb { wire, file } = problem(error.unwrap_err()) else {
        panic!("no bomb");
    };
    assert!(wire < 50_000, "{wire}");
    assert!(
        file < 18 * 1024 * 1024,
        "{file} bytes before it was noticed"
    );
    // The same file where it was announced to be that long.
    let limits = InflateLimits::announced(Some(zeros.len() as u64));
    assert!(inflated(bomb, limits).await.unwrap() == zeros);
}

#[tokio::test]
async fn any_damage_is_an_error_or_harmless() {
    let plain = text(3000);
    let packed = pack(&plain);
    let mut state = 0x9e37_79b9_u32;
    let mut chance = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    for round in 0..500 {
        let mut bad = packed.clone();
        for _ in 0..=chance(3) {
            let at = chance(bad.len());
            match chance(4) {
                0 => bad[at] ^= 1 << chance(8),
                1 => bad.insert(at, chance(256) as u8),
                2 => drop(bad.remove(at)),
                _ => bad.truncate(at + 1),
            }
        }
        let outcome = inflated(bad, InflateLimits::default());
        match tokio::time::timeout(IDLE, outcome).await.unwrap() {
            // The checksum says that nothing was lost.
            Ok(got) => assert!(got == plain, "{round}"),
            Err(error) => drop(problem(error)),
        }
    }
}

#[tokio::test]
async fn copies_unpack_into_files_and_pack_from_them() {
    let plain = text(2_000_000);
    let (ours, mut theirs) = pair().await;
    let packed = pack(&plain);
    let length = packed.len() as u64;
    tokio::spawn(async move { theirs.write_all(&packed).await });
    let stream = Stream::Plain(ours).inflating(InflateLimits::default());
    let counts = stream.deflate_counts().unwrap();
    let mut file = tempfile::tempfile().unwrap();
    let progress = Progress::default();
    let options = CopyOptions {
        progress: progress.clone(),
        ..CopyOptions::new(IDLE)
    };
    let copied = copy::receive_to_file(stream, file.try_clone().unwrap(), options)
        .await
        .unwrap();
    assert_eq!((copied.bytes, copied.clean), (2_000_000, true));
    assert_eq!(progress.bytes(), 2_000_000);
    assert_eq!((counts.wire(), counts.file()), (length, 2_000_000));
    let mut got = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut got).unwrap();
    assert!(got == plain);

    let (ours, mut theirs) = pair().await;
    let receiver = tokio::spawn(async move {
        let mut packed = Vec::new();
        theirs.read_to_end(&mut packed).await.unwrap();
        packed
    });
    file.rewind().unwrap();
    let stream = Stream::Plain(ours).deflating(9);
    let copied = copy::send_from_file(stream, file, CopyOptions::new(IDLE))
        .await
        .unwrap();
    assert_eq!(copied.bytes, 2_000_000);
    assert!(unpack(&receiver.await.unwrap()) == plain);
}

#[tokio::test]
async fn copies_keep_to_bounds_and_limits_of_the_wire_and_end_when_dropped() {
    // A bound is one of the file.
    let plain = text(500_000);
    let packed = pack(&plain);
    let (ours, mut theirs) = pair().await;
    let sent = packed.clone();
    tokio::spawn(async move { theirs.write_all(&sent).await });
    let stream = Stream::Plain(ours).inflating(InflateLimits::default());
    let mut file = tempfile::tempfile().unwrap();
    let options = CopyOptions {
        bound: Bound::new(1234),
        at: Some(10),
        ..CopyOptions::new(IDLE)
    };
    let copied = copy::receive_to_file(stream, file.try_clone().unwrap(), options)
        .await
        .unwrap();
    assert_eq!(copied.bytes, 1234);
    let mut got = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut got).unwrap();
    assert_eq!(&got[10..], &plain[..1234]);

    // A limit is one of the wire: half a second for what is half a second of compressed bytes.
    let (ours, mut theirs) = pair().await;
    let limit = NonZeroU64::new(packed.len() as u64 * 2);
    tokio::spawn(async move { theirs.write_all(&packed).await });
    let options = CopyOptions {
        throttles: Throttle::new(limit).into(),
        ..CopyOptions::new(IDLE)
    };
    let begin = Instant::now();
    let stream = Stream::Plain(ours).inflating(InflateLimits::default());
    let file = tempfile::tempfile().unwrap();
    let copied = copy::receive_to_file(stream, file, options).await.unwrap();
    assert_eq!(copied.bytes, 500_000);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(250), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");

    // A peer that says nothing: dropped, the connection is gone.
    let (ours, mut theirs) = pair().await;
    let stream = Stream::Plain(ours).inflating(InflateLimits::default());
    let file = tempfile::tempfile().unwrap();
    let copying = copy::receive_to_file(stream, file, CopyOptions::new(IDLE));
    let dropped = tokio::time::timeout(Duration::from_millis(50), copying).await;
    assert!(dropped.is_err());
    let mut end = [0; 1];
    let gone = tokio::time::timeout(Duration::from_secs(5), theirs.read(&mut end)).await;
    assert!(!matches!(gone.unwrap(), Ok(1)));

    // One that stays silent for too long.
    let (ours, _theirs) = pair().await;
    let stream = Stream::Plain(ours).inflating(InflateLimits::default());
    let file = tempfile::tempfile().unwrap();
    let options = CopyOptions::new(Duration::from_millis(50));
    let error = copy::receive_to_file(stream, file, options).await;
    assert!(matches!(error, Err(NetError::Timeout { .. })), "{error:?}");
}
