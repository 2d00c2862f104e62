"""An FTP server for one user, by aioftp or pyftpdlib: serve.py SETTINGS, where SETTINGS is a file of JSON.

"extra" has lines NAME=VALUE, with the value as Python writes it: attributes of pyftpdlib's handler, arguments of aioftp's
Server; `tls="1.2"` or `tls="1.3"`, which allows that version alone; `without=["MLSD"]`, for commands that it shall not know.
"""

import ast
import json
import logging
import sys


def by_aioftp(settings, extra):
    import asyncio
    import ssl

    import aioftp

    tls, without = extra.pop("tls", None), extra.pop("without", [])
    context = None
    if settings["tls"] == "implicit":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings["certificate"])
        if tls is not None:
            version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
            context.minimum_version = context.maximum_version = version

    async def serve():
        user = aioftp.User(settings["user"], settings["password"], base_path=settings["root"])
        server = aioftp.Server(
            [user], ssl=context, maximum_connections=settings["max_per_ip"], **extra
        )
        for verb in without:
            del server.commands_mapping[verb.lower()]
        await server.run(settings["address"], settings["port"])

    asyncio.run(serve())


def by_pyftpdlib(settings, extra):
    from OpenSSL import SSL
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.servers import FTPServer

    tls, without = extra.pop("tls", None), extra.pop("without", [])
    authorizer = DummyAuthorizer()
    authorizer.add_user(
        settings["user"], settings["password"], settings["root"], perm="elradfmwMT"
    )
    # A class of its own, so that nothing of the library is changed.
    base = FTPHandler if settings["tls"] == "off" else TLS_FTPHandler
    handler = type("Handler", (base,), {"authorizer": authorizer, "auth_failed_timeout": 0})
    handler.proto_cmds = {verb: what for verb, what in base.proto_cmds.items() if verb not in without}
    if settings["tls"] == "explicit":
        handler.certfile = settings["certificate"]
        handler.tls_control_required = settings["tls_mandatory"]
        handler.tls_data_required = settings["tls_mandatory"]
        others = {None: 0, "1.2": SSL.OP_NO_TLSv1_3, "1.3": SSL.OP_NO_TLSv1_2}[tls]
        handler.ssl_options = TLS_FTPHandler.ssl_options | others
    for name, value in extra.items():
        if not hasattr(base, name):
            raise SystemExit(f"a handler of pyftpdlib has no {name}")
        setattr(handler, name, value)
    server = FTPServer((settings["address"], settings["port"]), handler, backlog=200)
    server.max_cons_per_ip = settings["max_per_ip"] or 0
    server.serve_forever()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        settings = json.load(file)
    # Of aioftp this shows the commands; pyftpdlib shows its transfers by itself.
    level = logging.DEBUG if settings["kind"] == "aioftp" else logging.INFO
    logging.basicConfig(level=level)
    extra = {}
    for line in settings["extra"]:
        name, _, value = line.partition("=")
        extra[name] = ast.literal_eval(value)
    {"aioftp": by_aioftp, "pyftpdlib": by_pyftpdlib}[settings["kind"]](settings, extra)


main()
