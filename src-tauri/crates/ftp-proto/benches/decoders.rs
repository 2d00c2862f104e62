//! What the decoders take: replies, features, and listings of each dialect, in pieces of the size that sockets give.
//!
//! `cargo bench -p ftp-proto`, or one group: `cargo bench -p ftp-proto -- listing`.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ftp_proto::listing::{Line, ListingDecoder};
use ftp_proto::{Features, Reply, ReplyDecoder};
use jiff::Timestamp;

/// Lines of a listing.
const LINES: usize = 10_000;
/// What one read of a socket gives at most.
const PIECE: usize = 64 * 1024;

/// A batch of downloads as the control connection shows it: three replies a file.
fn batch(files: usize) -> BytesMut {
    let mut text = String::new();
    for file in 0..files {
        write!(
            text,
            "229 Entering Extended Passive Mode (|||{}|)\r\n\
             150 Opening BINARY mode data connection for file-{file:05}.txt (1024 bytes).\r\n\
             226 Transfer complete.\r\n",
            40_000 + file % 20_000,
        )
        .unwrap();
    }
    text.as_bytes().into()
}

const FEAT: &str = "211-Features:\r\n AUTH TLS\r\n CCC\r\n CLNT\r\n EPRT\r\n EPSV\r\n HOST\r\n \
    LANG en-US.UTF-8*;en-US\r\n MDTM\r\n MFF modify;UNIX.group;UNIX.mode;\r\n MFMT\r\n \
    MLST modify*;perm*;size*;type*;unique*;UNIX.group*;UNIX.groupname*;UNIX.mode*;UNIX.owner*;\r\n PBSZ\r\n PROT\r\n \
    REST STREAM\r\n SIZE\r\n TVFS\r\n UTF8\r\n211 End\r\n";

fn replies(c: &mut Criterion) {
    let mut group = c.benchmark_group("replies");
    let mut measure = |name: &str, wire: &BytesMut, count: usize| {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |bench| {
            bench.iter_batched(
                || wire.clone(),
                |mut buffer| {
                    let mut decoder = ReplyDecoder::new();
                    for _ in 0..count {
                        black_box(decoder.decode(&mut buffer).unwrap().unwrap());
                    }
                    assert!(decoder.decode(&mut buffer).unwrap().is_none());
                },
                criterion::BatchSize::SmallInput,
            );
        });
    };
    measure("one line each", &batch(100), 300);
    measure("of 18 lines", &FEAT.as_bytes().into(), 1);
    group.finish();

    let reply: Reply = ReplyDecoder::new()
        .decode(&mut FEAT.as_bytes().into())
        .unwrap()
        .unwrap();
    assert!(Features::parse(&reply).has("MFMT"));
    c.bench_function("features/parse", |bench| {
        bench.iter(|| black_box(Features::parse(black_box(&reply))));
    });
}

/// One line of a listing, without its end: the number makes the name and varies the rest.
type Dialect = fn(usize) -> String;

const DIALECTS: [(&str, Dialect); 4] = [
    ("MLSD", |number| {
        format!(
            "modify=202402{:02}170512;perm=adfrw;size={};type=file;unique=1A{number:X};UNIX.group=100;UNIX.mode=0644;\
             UNIX.owner=1001; picture-{number:06}.jpeg",
            number % 28 + 1,
            number * 37,
        )
    }),
    ("LIST, this year", |number| {
        format!(
            "-rw-r--r--   1 vera     press    {:>12} Feb {:>2} 17:05 picture-{number:06}.jpeg",
            number * 37,
            number % 28 + 1,
        )
    }),
    ("LIST, with a year", |number| {
        format!(
            "drwxr-xr-x   2 1001     100      {:>12} Nov {:>2}  2019 folder number {number:06}",
            4096,
            number % 28 + 1,
        )
    }),
    ("LIST of DOS", |number| {
        format!(
            "02-{:02}-24  05:05PM         {:>12} picture {number:06}.jpeg",
            number % 28 + 1,
            number * 37,
        )
    }),
];

fn decoder(dialect: &str) -> ListingDecoder {
    if dialect == "MLSD" {
        ListingDecoder::mlsd()
    } else {
        ListingDecoder::list("2024-03-01T00:00:00Z".parse::<Timestamp>().unwrap())
    }
}

/// All entries of a listing; a line that is not understood would be measured as something else.
fn read(dialect: &str, wire: &[u8], piece: usize) -> usize {
    let mut decoder = decoder(dialect);
    let mut entries = 0;
    let mut take = |decoder: &mut ListingDecoder| {
        while let Some(line) = decoder.next_line() {
            assert!(matches!(line, Line::Entry(_)));
            black_box(line);
            entries += 1;
        }
    };
    for part in wire.chunks(piece) {
        decoder.feed(part);
        take(&mut decoder);
    }
    decoder.finish();
    take(&mut decoder);
    entries
}

fn listings(c: &mut Criterion) {
    let mut group = c.benchmark_group("listing");
    for (name, line) in DIALECTS {
        let wire: String = (0..LINES).map(|number| line(number) + "\r\n").collect();
        let wire = wire.as_bytes();
        group.throughput(Throughput::Elements(LINES as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), wire, |bench, wire| {
            bench.iter(|| assert_eq!(read(name, wire, PIECE), LINES));
        });
    }
    // The worst that a network does to a listing: packets of one byte.
    let wire: String = (0..LINES)
        .map(|number| DIALECTS[0].1(number) + "\r\n")
        .collect();
    group.bench_with_input(
        BenchmarkId::from_parameter("MLSD, byte by byte"),
        wire.as_bytes(),
        |bench, wire| {
            bench.iter(|| assert_eq!(read("MLSD", wire, 1), LINES));
        },
    );
    group.finish();
}

criterion_group!(benches, replies, listings);
criterion_main!(benches);
