//! Starting a server process, knowing when it listens, and ending it with all its children.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};

/// Below the range that the system takes ports of outgoing connections and of port 0 from.
const PORTS: std::ops::Range<u16> = 12_000..32_000;
/// The state LISTEN in /proc/net/tcp.
const LISTEN: &str = "0A";

/// A process and everything that it starts; killed on drop.
///
/// The server stays in the process group of the test, so that a test runner which ends a group ends it too.
/// Its sessions make groups of their own, so they are found by their parents.
#[derive(Debug)]
pub(super) struct Tree {
    child: Child,
}

impl Tree {
    /// Starts a command and waits until it listens there.
    pub(super) fn spawn(
        command: &mut Command,
        place: SocketAddrV4,
        limit: Duration,
    ) -> Result<Self, String> {
        // A session whose parent is gone becomes a child of this process, not of init.
        let _ = set_child_subreaper(pid(std::process::id()));
        let child = command
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let mut tree = Self { child };
        let started = Instant::now();
        loop {
            if let Ok(Some(status)) = tree.child.try_wait() {
                return Err(format!("it left by itself ({status})"));
            }
            if tree.listens(place) {
                return Ok(tree);
            }
            if started.elapsed() > limit {
                return Err(format!("it does not listen on {place} after {limit:?}"));
            }
            // Nothing tells of another process's listen(2); looking costs half a millisecond.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether this very process holds the listening socket: another one may have been quicker to the port.
    fn listens(&self, place: SocketAddrV4) -> bool {
        let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let local = format!(
            "{:08X}:{:04X}",
            u32::from_le_bytes(place.ip().octets()),
            place.port(),
        );
        let sockets: Vec<String> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|fields| fields.len() > 9 && fields[1] == local && fields[3] == LISTEN)
            .map(|fields| format!("socket:[{}]", fields[9]))
            .collect();
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.into_iter().flatten().flatten().any(|entry| {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            sockets
                .iter()
                .any(|socket| target.as_os_str() == socket.as_str())
        })
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let signal = |id: u32, signal: Signal| {
            if let Some(pid) = pid(id) {
                let _ = kill_process(pid, signal);
            }
        };
        let main = self.child.id();
        // Stopped first: what does not run starts no new session while the list is being made.
        signal(main, Signal::STOP);
        let mut seen = BTreeSet::new();
        loop {
            let family = descendants(main);
            seen.extend(family.iter().map(|member| member.id));
            let alive: Vec<u32> = family.iter().filter(|m| m.alive).map(|m| m.id).collect();
            if alive.is_empty() {
                break;
            }
            for id in alive {
                signal(id, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        signal(main, Signal::KILL);
        let _ = self.child.wait();
        // Now they are this process's children (see spawn), and dead: not every init would bury them.
        for id in seen {
            let _ = waitpid(pid(id), WaitOptions::NOHANG);
        }
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

struct Member {
    id: u32,
    /// False for a zombie.
    alive: bool,
}

/// The children of a process, their children, and so on.
fn descendants(root: u32) -> Vec<Member> {
    let mut children: HashMap<u32, Vec<Member>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // "pid (name) state parent …", where the name may hold anything.
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let mut fields = rest.split(' ');
        let alive = fields.next() != Some("Z");
        let Some(parent) = fields.next().and_then(|field| field.parse().ok()) else {
            continue;
        };
        children
            .entry(parent)
            .or_default()
            .push(Member { id, alive });
    }
    let (mut found, mut open) = (Vec::new(), vec![root]);
    while let Some(parent) = open.pop() {
        for member in children.remove(&parent).unwrap_or_default() {
            open.push(member.id);
            found.push(member);
        }
    }
    found
}

/// A port that nothing on loopback listens on, from a random place, so that parallel tests seldom meet.
pub(super) fn free_port() -> io::Result<u16> {
    let width = u64::from(PORTS.end - PORTS.start);
    for _ in 0..1000 {
        let offset = RandomState::new().build_hasher().finish() % width;
        let port = PORTS.start + u16::try_from(offset).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        "no free port for a server",
    ))
}
