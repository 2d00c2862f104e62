# What outside_clients.rs runs against our server: HOST PORT USER PASSWORD MODE CA_FILE.
import ftplib, io, ssl, sys
host, port, user, password, mode, ca = sys.argv[1:]
class Implicit(ftplib.FTP_TLS):
    "ftplib has no implicit TLS: the socket is wrapped as soon as it is there."
    _sock = None
    @property
    def sock(self): return self._sock
    @sock.setter
    def sock(self, value):
        if value is not None and not isinstance(value, ssl.SSLSocket):
            value = self.context.wrap_socket(value, server_hostname=self.host)
        self._sock = value
if mode == "Off":
    ftp = ftplib.FTP(timeout=20)
else:
    context = ssl.create_default_context(cafile=ca)
    ftp = (Implicit if mode == "Implicit" else ftplib.FTP_TLS)(context=context, timeout=20)
ftp.encoding = "utf-8"
ftp.connect(host, int(port))
if mode == "Implicit":
    ftplib.FTP.login(ftp, user, password)
else:
    ftp.login(user, password)
if mode != "Off":
    ftp.prot_p()
assert sorted(ftp.nlst("a folder")) == ["a folder/a file.txt", "a folder/sub", "a folder/ümlaut – 日本"], ftp.nlst("a folder")
facts = dict(ftp.mlsd("a folder", facts=["type", "size"]))
assert facts["a file.txt"]["size"] == "12" and facts["sub"]["type"] == "dir", facts
lines = []
ftp.dir("-a", lines.append)
assert any(line.endswith(" a folder") for line in lines), lines
got = io.BytesIO()
ftp.retrbinary("RETR a folder/a file.txt", got.write, rest=7)
assert got.getvalue() == b"world", got.getvalue()
ftp.storbinary("STOR by python", io.BytesIO(bytes(range(256)) * 5000))
assert ftp.size("by python") == 256 * 5000
ftp.storbinary("STOR by python", io.BytesIO(b"end"), rest=256 * 5000 - 1)
assert ftp.size("by python") == 256 * 5000 + 2
ftp.storlines("STOR lines", io.BytesIO(b"one\ntwo\n"))
read = []
ftp.retrlines("RETR lines", read.append)
assert read == ["one", "two"], read
assert ftp.mkd('a "new" one') == '/a "new" one'
ftp.cwd('a "new" one')
assert ftp.pwd() == '/a "new" one', ftp.pwd()
ftp.cwd("..")
ftp.rename("by python", 'a "new" one/moved')
ftp.delete('a "new" one/moved')
ftp.rmd('a "new" one')
# Names that are easily taken for something else: each comes back as it went.
odd = [" leading", "trailing ", "  ", "-la", "a;b; c", "100%25", "#hash", "a -> b", "x\\y", "*", "e\u0301", "'quoted'"]
ftp.mkd("odd")
for name in odd:
    ftp.storbinary(f"STOR odd/{name}", io.BytesIO(name.encode()))
assert sorted(name for name, facts in ftp.mlsd("odd")) == sorted(odd), list(ftp.mlsd("odd"))
for name in odd:
    got = io.BytesIO()
    ftp.retrbinary(f"RETR odd/{name}", got.write)
    assert got.getvalue() == name.encode(), name
    ftp.rename(f"odd/{name}", f"odd/{name}+")
    assert ftp.size(f"odd/{name}+") == len(name.encode()), name
    ftp.delete(f"odd/{name}+")
ftp.rmd("odd")
# The server connects to the client.
ftp.set_pasv(False)
got = io.BytesIO()
ftp.retrbinary("RETR a folder/a file.txt", got.write)
assert got.getvalue() == b"hello, world", got.getvalue()
ftp.storbinary("STOR active", io.BytesIO(b"active"))
assert ftp.size("active") == 6
ftp.delete("active")
ftp.set_pasv(True)
sock = ftp.transfercmd("RETR huge")
sock.recv(1000)
if mode == "Off":
    ftp.abort()
else:
    ftp.putcmd("ABOR")
sock.close()
ftp.putcmd("NOOP")
replies = [ftp.getmultiline()]
while not replies[-1].startswith("200"):
    replies.append(ftp.getmultiline())
assert len(replies) <= 3, replies
for command in ["RETR none", "CWD none", "DELE none", "SIZE none"]:
    try:
        ftp.voidcmd("TYPE I"); ftp.sendcmd(command) if not command.startswith("RETR") else ftp.transfercmd(command)
        raise SystemExit(command + " went well")
    except ftplib.error_perm as error:
        assert str(error).startswith("550"), error
assert ftp.quit().startswith("221")
print("all well")
