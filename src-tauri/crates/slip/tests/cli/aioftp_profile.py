"""What aioftp.rs runs: `slip serve --profile aioftp` beside the server that it speaks like, and under that library's own client.

aioftp_profile.py SLIP FOLDER [CASE...]. Each case is a function below; the word of each is compared, line by line, with the original's
where there are raw sessions, and the rest is the library's client doing its work. Nothing here is taken from aioftp's own tests.
"""
import asyncio
import contextlib
import json
import pathlib
import re
import ssl
import sys
import time

import aioftp

SLIP, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
CASES = []


def case(function):
    CASES.append(function)
    return function


@contextlib.asynccontextmanager
async def ours(**config):
    "The address of a server that a file describes."
    config.setdefault("port", 0)
    name = FOLDER / f"{time.monotonic_ns()}.json"
    name.write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        SLIP, "serve", "--profile", "aioftp", "--config", str(name), stdout=asyncio.subprocess.PIPE
    )
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        host, _, port = json.loads(line)["listening"].rpartition(":")
        yield host.strip("[]"), int(port)
    finally:
        if process.returncode is None:
            process.terminate()
        code = await asyncio.wait_for(process.wait(), 20)
        assert code == 0, code


@contextlib.asynccontextmanager
async def theirs(users=None, host="127.0.0.1", **options):
    server = aioftp.Server(users, path_io_factory=aioftp.MemoryPathIO, **options)
    await server.start(host, 0)
    try:
        yield server.address
    finally:
        await server.close()


class Raw:
    "One session, line by line."

    def __init__(self, address):
        self.address = address
        self.port = None

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection(*self.address)
        self.welcome = await self.reply()
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def reply(self):
        "All lines of a reply; None at the end of the connection."
        lines = []
        while True:
            line = await asyncio.wait_for(self.reader.readline(), 10)
            if not line:
                return lines or None
            assert line.endswith(b"\r\n"), line
            lines.append(line[:-2])
            if re.match(rb"\d{3} ", line) or line == b"\r\n":
                return lines

    async def say(self, line):
        self.writer.write(line + b"\r\n")
        await self.writer.drain()
        reply = await self.reply()
        for found in re.finditer(rb"\(\|\|\|(\d+)\|\)", b"".join(reply or [])):
            self.port = int(found[1])
        for found in re.finditer(rb"\(\d+,\d+,\d+,\d+,(\d+),(\d+)\)", b"".join(reply or [])):
            self.port = int(found[1]) * 256 + int(found[2])
        return reply

    async def data(self):
        return await asyncio.open_connection(self.address[0], self.port)

    async def get(self, line):
        "Everything that a command sends, with its replies."
        reader, writer = await self.data()
        replies = await self.say(line)
        if not replies[-1].startswith(b"150"):
            writer.close()
            return replies, b""
        content = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return replies + await self.reply(), content

    async def put(self, line, content):
        reader, writer = await self.data()
        replies = await self.say(line)
        if replies[-1].startswith(b"150"):
            writer.write(content)
            writer.close()
            replies += await self.reply()
        writer.close()
        return replies


def plain(value):
    "Without ports and times."
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if not isinstance(value, bytes):
        return value
    value = re.sub(rb"\(\|\|\|\d+\|\)", b"(|||PORT|)", value)
    value = re.sub(rb"\(\d+,\d+,\d+,\d+,\d+,\d+\)", b"(ADDRESS)", value)
    value = re.sub(rb"(Create|Modify)=\d{14}", rb"\1=TIME", value)
    return re.sub(rb"[A-Z][a-z]{2} [ \d]\d (\d\d:\d\d| \d{4})", b"DATE", value)


async def same(do, users=None, config=None, **options):
    "Does the same with both, and compares."
    described = dict(config or {})
    if users is not None:
        described["users"] = [
            {
                "login": user.login,
                "password": user.password,
                "home": str(user.home_path),
                "max_connections": user.maximum_connections,
                "permissions": [
                    {"path": str(p.path), "read": p.readable, "write": p.writable} for p in user.permissions
                ],
            }
            for user in users
        ]
    async with ours(**described) as one, theirs(users, **options) as other:
        mine, right = plain(await do(one)), plain(await do(other))
    assert len(mine) == len(right), (mine, right)
    for a, b in zip(mine, right):
        assert a == b, f"\n  ours   {a}\n  theirs {b}"


TALK = b"""PWD
USER
PASS x
FOOBAR
it's
it's "so"

  PWD
syst
REST 5
REST 3abc
REST
ABOR
USER somebody
PASS x
pwd
PWD with an argument
TYPE I
TYPE A
type i
TYPE i
TYPE FOO
TYPE
PBSZ 0
PBSZ
PROT P
PROT C
PROT
CWD nowhere
MKD /a/b/c
MKD /a/b/c
MKD a
CWD a
CWD /a
PWD
CWD b/c/
PWD
CDUP
PWD
CWD ../../../..
PWD
CDUP
PWD
CWD /a/../a/./b//c
PWD
CWD
PWD
RMD nope
RMD /a/b
RMD /a/b/c
RMD /
DELE /a
DELE nope
RNTO x
RNFR nope
RNFR /a/b
PWD
RNTO /a
RNTO /d e
RNTO /f
MKD quo"te
CWD quo"te
PWD
CDUP
MLST nope
MLST /d e
MLST /a
STOR x
APPE x
RETR x
LIST
MLSD
EPSV
EPSV
PASV
MLSD nope
LIST -a
RETR nope
RETR /a
STOR /no/where
STOR /a
REST 10
STOR /new
NOOP
FEAT
AUTH TLS
OPTS UTF8 ON
SIZE x
MDTM x
PORT 127,0,0,1,4,5
EPRT |1|127.0.0.1|1029|
NLST
STAT
HELP
SITE HELP
MODE S
STRU F
ALLO 5
STOU
REIN
ACCT x
XPWD
USER other
PASS y
QUIT"""


@case
async def replies_are_the_same():
    async def talk(address):
        said = []
        async with Raw(address) as raw:
            said.append([b"welcome", raw.welcome])
            for line in TALK.split(b"\n"):
                reply = await raw.say(line)
                said.append([line, reply])
                # Nobody comes to the data port: one second later it is given up.
                if reply and reply[-1].startswith(b"150"):
                    said.append([line, await raw.reply()])
            said.append([b"the end", await raw.reply()])
        return said

    await same(talk)


@case
async def logins_are_the_same():
    users = [
        aioftp.User("ann", "secret", home_path="/home"),
        aioftp.User("bob"),
        aioftp.User("carl", "x", maximum_connections=1),
    ]
    talk = [
        b"USER nobody", b"PASS x", b"USER ann", b"PWD", b"PASS wrong", b"PASS wrong", b"PASS", b"PASS Secret", b"PASS secret",
        b"PASS secret", b"PWD", b"MKD x", b"CWD /home", b"USER ann", b"PWD", b"USER bob", b"PASS x", b"PWD", b"USER carl", b"PASS x",
        b"QUIT",
    ]

    async def do(address):
        said = []
        async with Raw(address) as raw, Raw(address) as second:
            for line in talk[:-1]:
                said.append([line, await raw.say(line)])
            # The other's place is taken, and free as soon as the first one is somebody else.
            said.append(await second.say(b"USER carl"))
            said.append(await raw.say(b"USER bob"))
            said.append(await second.say(b"USER carl"))
            said.append(await second.say(b"PASS x"))
            said.append(await raw.say(b"QUIT"))
            said.append(await raw.reply())
        return said

    await same(do, users)


@case
async def sessions_that_end_themselves_are_the_same():
    async def do(address):
        said = []
        async with Raw(address) as raw:
            await raw.say(b"USER x")
            said.append(await raw.say(b"EPSV 1"))
            said.append(await raw.reply())
        return said

    await same(do)


@case
async def permissions_are_the_same():
    users = [
        aioftp.User(
            permissions=[
                aioftp.Permission("/", writable=False),
                aioftp.Permission("/in", readable=True, writable=True),
                aioftp.Permission("/in/hidden", readable=False, writable=True),
            ]
        )
    ]

    async def do(address):
        said = []
        async with Raw(address) as raw:
            for line in [b"USER x", b"MKD /out", b"MKD /in", b"MKD /in/here", b"RMD /in/here", b"MKD /in/hidden", b"CWD /in/hidden",
                         b"CWD /in", b"PWD", b"MKD hidden/deep", b"CWD hidden/deep", b"MLST /in/hidden", b"EPSV"]:
                said.append([line, await raw.say(line)])
            said.append(await raw.put(b"STOR hidden/a", b"secret"))
            said.append(await raw.get(b"RETR hidden/a"))
            said.append(await raw.put(b"STOR /b", b"x"))
            said.append(await raw.put(b"STOR c", b"content"))
            said.append(await raw.get(b"RETR c"))
            said.append(await raw.say(b"DELE c"))
        return said

    # The part that can be written has to be there: ours refuses to make it from above, as theirs does.
    await same(do, users)


@case
async def transfers_are_the_same():
    async def do(address):
        said = []
        async with Raw(address) as raw:
            for line in [b"USER x", b"TYPE I", b"MKD d", b"EPSV"]:
                said.append(await raw.say(line))
            said.append(await raw.put(b"STOR d/file", b"0123456789"))
            said.append(await raw.get(b"RETR d/file"))
            said.append(await raw.get(b"RETR d/file"))
            for offset in [b"3", b"10", b"11", b"1000"]:
                said.append(await raw.say(b"REST " + offset))
                said.append(await raw.get(b"RETR d/file"))
            # It holds for transfers until another command comes.
            said.append(await raw.say(b"REST 8"))
            said.append(await raw.get(b"RETR d/file"))
            said.append(await raw.get(b"RETR d/file"))
            said.append(await raw.say(b"TYPE I"))
            said.append(await raw.get(b"RETR d/file"))
            said.append(await raw.say(b"REST 2"))
            said.append(await raw.put(b"STOR d/file", b"ab"))
            said.append(await raw.get(b"MLSD d"))
            said.append(await raw.get(b"RETR d/file"))
            said.append(await raw.put(b"APPE d/file", b"end"))
            said.append(await raw.say(b"REST 16"))
            said.append(await raw.put(b"APPE d/file", b"after a gap"))
            said.append(await raw.say(b"PWD"))
            said.append(await raw.get(b"RETR d/file"))
            said.append(await raw.say(b"REST 4"))
            said.append(await raw.put(b"APPE d/file", b"four"))
            said.append(await raw.say(b"PWD"))
            said.append(await raw.get(b"RETR d/file"))
            said.append(await raw.say(b"REST 3"))
            said.append(await raw.put(b"STOR d/not there", b"four"))
            said.append(await raw.say(b"PWD"))
            said.append(await raw.put(b"STOR d/empty", b""))
            said.append(await raw.get(b"RETR d/empty"))
            said.append(await raw.put(b"STOR d", b"x"))
            said.append(await raw.get(b"MLSD d/file"))
            said.append(await raw.get(b"LIST d/file"))
            said.append(await raw.get(b"MLSD"))
            replies, listing = await raw.get(b"MLSD d")
            said.append([replies, sorted(listing.split(b"\r\n"))])
            said.append(await raw.say(b"MLST d/file"))
            replies, listing = await raw.get(b"LIST d")
            # Modes are those of another tree.
            said.append([replies, sorted(line[10:] for line in listing.split(b"\r\n"))])
            said.append(await raw.say(b"RNFR d/file"))
            said.append(await raw.say(b"RNTO d/other"))
            said.append(await raw.say(b"DELE d/other"))
            said.append(await raw.say(b"DELE d/other"))
            said.append(await raw.say(b"DELE d/empty"))
            said.append(await raw.say(b"RMD d"))
        return said

    await same(do)


async def gone(stream):
    "Whether the other side has closed it."
    reader, writer = stream
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except ConnectionError:
        return True


@case
async def data_connections_are_the_same():
    async def do(address):
        said = []
        async with Raw(address) as raw:
            await raw.say(b"USER x")
            said.append(await raw.say(b"EPSV"))
            port = raw.port
            first = await raw.data()
            await asyncio.sleep(0.2)
            # One too many.
            said.append(await gone(await raw.data()))
            # The one that waited belonged to the EPSV before.
            said.append(await raw.say(b"PASV"))
            said.append(raw.port == port)
            said.append(await gone(first))
            said.append(await raw.put(b"STOR a", b"content"))
            said.append(await raw.get(b"RETR a"))
            # Nobody comes.
            began = time.monotonic()
            said.append(await raw.say(b"RETR a"))
            said.append(await raw.reply())
            said.append(0.9 < time.monotonic() - began < 3)
            said.append(await raw.get(b"RETR a"))
        return said

    await same(do)


@case
async def aborting_is_the_same():
    async def do(address):
        said = []
        async with Raw(address) as raw:
            await raw.say(b"USER x")
            await raw.say(b"EPSV")
            said.append(await raw.say(b"ABOR"))
            stream = await raw.data()
            said.append(await raw.say(b"STOR a"))
            stream[1].write(b"x" * 1000)
            await stream[1].drain()
            await asyncio.sleep(0.2)
            said.append(await raw.say(b"ABOR"))
            said.append(await raw.reply())
            said.append(await gone(stream))
            said.append(await raw.say(b"ABOR"))
            said.append(await raw.put(b"STOR big", b"x" * 30_000_000))
            stream = await raw.data()
            said.append(await raw.say(b"RETR big"))
            await asyncio.sleep(0.2)
            said.append(await raw.say(b"ABOR"))
            said.append(await raw.reply())
            stream[1].close()
            said.append(await raw.say(b"PWD"))
        return said

    await same(do)


@case
async def too_many_are_the_same():
    async def do(address):
        said = []
        async with Raw(address) as one, Raw(address) as other:
            said += [one.welcome, other.welcome]
            async with Raw(address) as third:
                said.append(third.welcome)
                said.append(await third.reply())
            said.append(await one.say(b"QUIT"))
            await one.reply()
            await asyncio.sleep(0.2)
            async with Raw(address) as fourth:
                said.append(fourth.welcome)
        return said

    await same(do, config={"max_connections": 2}, maximum_connections=2)


@case
async def words_of_ones_own():
    async def do(address):
        async with Raw(address) as raw:
            await raw.say(b"USER x")
            return [raw.welcome, await raw.say(b"SYST"), await raw.say(b"PASV")]

    config = {"welcome": "hello there", "system_type": "Something Type: L8", "pasv_address": "192.0.2.7"}
    await same(do, None, config, welcome_message="hello there", system_type="Something Type: L8",
               ipv4_pasv_forced_response_address="192.0.2.7")
    async with ours(**config) as address, Raw(address) as raw:
        await raw.say(b"USER x")
        assert b"(192,0,2,7," in (await raw.say(b"PASV"))[0]


@case
async def silence_ends_a_session_without_a_word():
    async def do(address):
        async with Raw(address) as raw:
            said = [await raw.say(b"USER x")]
            await asyncio.sleep(1)
            return said + [await raw.reply()]

    await same(do, None, {"idle_timeout": 0.4}, idle_timeout=0.4)


@case
async def a_data_connection_that_stands_still_ends_the_session():
    async def do(address):
        said = []
        async with Raw(address) as raw:
            await raw.say(b"USER x")
            await raw.say(b"EPSV")
            stream = await raw.data()
            said.append(await raw.say(b"STOR a"))
            said.append(await raw.reply())
            stream[1].close()
        async with Raw(address) as raw:
            await raw.say(b"USER x")
            await raw.say(b"EPSV")
            said.append(await raw.get(b"RETR a"))
        return said

    await same(do, None, {"socket_timeout": 0.5}, socket_timeout=0.5)


@case
async def over_ipv6_there_is_no_pasv():
    async def do(address):
        said = []
        async with Raw(address) as raw:
            await raw.say(b"USER x")
            said.append(await raw.say(b"EPSV"))
            said.append(await raw.put(b"STOR a", b"content"))
            said.append(await raw.get(b"RETR a"))
            said.append(await raw.say(b"PASV"))
            said.append(await raw.reply())
        return said

    try:
        async with ours(host="::1"):
            pass
    except AssertionError:
        print("no IPv6 here")
        return
    await same(do, None, {"host": "::1"}, host="::1")


@case
async def the_client_gives_up():
    async with ours() as (host, port):
        async with aioftp.Client.context(host, port) as client:
            await client.abort()
            stream = await client.upload_stream("a")
            await stream.write(b"x" * 1000)
            await client.abort()
            try:
                for _ in range(100):
                    await stream.write(b"x" * 100_000)
                    await asyncio.sleep(0.01)
            except ConnectionError:
                pass
            else:
                raise AssertionError("it takes more and more")
            stream.close()
            async with client.upload_stream("big") as stream:
                await stream.write(b"x" * 20_000_000)
            stream = await client.download_stream("big")
            await stream.read(10)
            await client.abort()
            stream.close()
            stream = await client.download_stream("big")
            await stream.read(10)
            await client.abort(wait=False)
            try:
                await stream.finish()
            except aioftp.StatusCodeError as error:
                assert set(error.received_codes) == {aioftp.Code("426")}, error
            else:
                raise AssertionError("no error")
            assert (await client.command(None, "226"))[0] == "226"
            assert str(await client.get_current_directory()) == "/"


@case
async def a_stopped_server_says_nothing():
    async with contextlib.AsyncExitStack() as stack:
        async with ours() as address:
            client = aioftp.Client()
            await client.connect(*address)
            await client.login()
        try:
            await client.list()
        except ConnectionError:
            pass
        else:
            raise AssertionError("nothing was wrong")


def free_ports(number):
    import socket

    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = sorted(one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    return ports


@case
async def data_ports_run_out_and_come_back():
    for none in [True, False]:
        ports = [] if none else free_ports(1)

        async def do(address):
            said = []
            async with Raw(address) as one:
                await one.say(b"USER x")
                said.append(await one.say(b"EPSV"))
                if none:
                    return said + [await one.reply()]
                said.append(one.port == ports[0])
                async with Raw(address) as other:
                    await other.say(b"USER x")
                    said.append(await other.say(b"PASV"))
                    said.append(await other.reply())
            await asyncio.sleep(0.3)
            async with Raw(address) as third:
                await third.say(b"USER x")
                said.append(await third.say(b"EPSV"))
                said.append(third.port == ports[0])
            return said

        # Both would want the same port.
        async with ours(data_ports=ports) as address:
            mine = plain(await do(address))
        async with theirs(data_ports=ports) as address:
            right = plain(await do(address))
        assert mine == right, (mine, right)


@case
async def several_data_ports():
    ports = free_ports(3)
    async with ours(data_ports=ports) as address:
        async with contextlib.AsyncExitStack() as stack:
            seen = set()
            for _ in range(3):
                raw = await stack.enter_async_context(Raw(address))
                await raw.say(b"USER x")
                await raw.say(b"EPSV")
                seen.add(raw.port)
            assert seen == set(ports), (seen, ports)
            raw = await stack.enter_async_context(Raw(address))
            await raw.say(b"USER x")
            assert await raw.say(b"PASV") == [b"421 no free ports"]


@case
async def the_client_at_work():
    for root in ["memory", str(FOLDER / "root")]:
        if root != "memory":
            pathlib.Path(root).mkdir(exist_ok=True)
        users = [{"login": "ann", "password": "secret", "base": "/base", "home": "/home"}]
        if root != "memory":
            (pathlib.Path(root) / "base/home").mkdir(parents=True, exist_ok=True)
        async with ours(root=root, users=users) as (host, port):
            async with aioftp.Client.context(host, port, "ann", "secret") as client:
                assert str(await client.get_current_directory()) == "/home"
                if root == "memory":
                    await client.make_directory("/home")
                await client.make_directory("one/two/three")
                assert await client.is_dir("one/two") and await client.exists("/home/one")
                local = FOLDER / "local"
                (local / "sub").mkdir(parents=True, exist_ok=True)
                (local / "a").write_bytes(b"content of a")
                (local / "sub" / "b").write_bytes(bytes(range(256)) * 3000)
                await client.upload(local)
                names = sorted(str(path) for path, _ in await client.list(recursive=True))
                assert names == ["local", "local/a", "local/sub", "local/sub/b", "one", "one/two", "one/two/three"], names
                facts = await client.stat("local/a")
                assert facts["type"] == "file" and facts["size"] == "12", facts
                assert abs(time.time() - time.mktime(time.strptime(facts["modify"], "%Y%m%d%H%M%S")) + time.timezone) < 60
                assert len(await client.list("local/a")) == 0
                listed = {str(path): info for path, info in await client.list("local", raw_command="LIST")}
                assert listed["local/a"]["size"] == "12" and listed["local/sub"]["type"] == "dir", listed
                back = FOLDER / f"back of {len(root)}"
                await client.download("local", back, write_into=True)
                assert (back / "sub/b").read_bytes() == bytes(range(256)) * 3000
                async with client.append_stream("local/a") as stream:
                    await stream.write(b", and more")
                async with client.download_stream("local/a", offset=9) as stream:
                    assert await stream.read() == b"f a, and more"
                await client.rename("local/a", "one/two/c")
                assert not await client.exists("local/a") and await client.is_file("one/two/c")
                for word in ["../../..", "/a/../..", "one/../one"]:
                    await client.change_directory("/" if word != "one/../one" else "/home/one/..")
                    assert not await client.exists("/../etc/passwd")
                await client.change_directory("/home")
                await client.remove("one")
                await client.remove("local")
                assert await client.list() == []
                assert (await client.command("foobar", "502")) is not None
        if root != "memory":
            # Nothing but what its base holds was touched.
            assert [p.name for p in pathlib.Path(root).iterdir()] == ["base"]


async def seconds(work):
    began = time.monotonic()
    await work
    return time.monotonic() - began


@case
async def limits_of_speed():
    "Of the server and each of its connections, of a user and each of its connections, in both directions."
    size, limit = 90_000, 60_000
    for place in ["server", "server each", "user", "user each"]:
        for way in ["read", "write"]:
            key = f"{way}_limit" + ("_per_connection" if "each" in place else "")
            config = {"users": [{}]}
            (config if "server" in place else config["users"][0])[key] = limit
            async with ours(**config) as (host, port):

                async def put(name):
                    async with aioftp.Client.context(host, port) as client:
                        async with client.upload_stream(name) as stream:
                            await stream.write(b"x" * size)

                async def get(name):
                    async with aioftp.Client.context(host, port) as client:
                        async with client.download_stream(name) as stream:
                            assert len(await stream.read()) == size

                began = time.monotonic()
                await asyncio.gather(put("a"), put("b"))
                up = time.monotonic() - began
                began = time.monotonic()
                await asyncio.gather(get("a"), get("b"))
                down = time.monotonic() - began
                slow, fast = (up, down) if way == "read" else (down, up)
                wanted = size / limit * (1 if "each" in place else 2)
                assert abs(slow - wanted) < 0.5, (place, way, slow, wanted)
                assert fast < 0.5, (place, way, fast)


@case
async def tls_from_the_first_byte():
    config = {"tls": {"cert": "cert.pem", "key": "key.pem", "mode": "implicit"}}
    context = ssl.create_default_context(cafile=str(FOLDER / "ca.pem"))
    async with ours(host="localhost", **config) as (host, port):
        async with aioftp.Client.context("localhost", port, ssl=context) as client:
            async with client.upload_stream("a") as stream:
                await stream.write(b"content")
            assert [str(path) for path, _ in await client.list()] == ["a"]
            async with client.download_stream("a") as stream:
                assert await stream.read() == b"content"
    async with ours(host="localhost", max_connections=1, **config) as (host, port):
        async with aioftp.Client.context("localhost", port, ssl=context):
            try:
                async with aioftp.Client.context("localhost", port, ssl=context):
                    raise AssertionError("two are in")
            except aioftp.StatusCodeError as error:
                assert set(error.received_codes) == {aioftp.Code("421")}, error


async def main():
    wanted = sys.argv[3:]
    for function in CASES:
        if wanted and function.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            await asyncio.wait_for(function(), 60)
        except Exception as error:
            raise SystemExit(f"{function.__name__}: {type(error).__name__}: {error}") from error
        print(f"{function.__name__}: well, {time.monotonic() - began:.1f} s", flush=True)
    print("all well")


asyncio.run(main())
