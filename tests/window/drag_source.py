#!/usr/bin/python3
"""A small window that files can be dragged out of, as out of a file manager.

    drag_source.py [--at X,Y] PATH...

Offers the paths as text/uri-list. On standard output, one line each:

    READY X Y       the window is on the screen; press the button here (root coordinates) and drag
    BEGIN           a drag has begun
    SENT            a receiver has asked for the paths and got them
    END             the drop was accepted
    FAILED REASON   it was not: no-target, user-cancelled, timeout, grab-broken, error

It runs until it is killed, or until standard input (a pipe) is closed.
"""

import argparse
import pathlib
import signal
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, GLib, Gtk  # noqa: E402

WIDTH, HEIGHT = 120, 60


def say(*words):
    print(*words, flush=True)


def position(text):
    x, y = text.split(",")
    return int(x), int(y)


def arguments():
    parser = argparse.ArgumentParser(description="A window that files can be dragged out of.")
    parser.add_argument("--at", type=position, default=(0, 0), metavar="X,Y", help="place on the screen")
    parser.add_argument("paths", nargs="+", type=pathlib.Path, metavar="PATH")
    return parser.parse_args()


def ready(window):
    """Says where to press, once the window manager has placed the window."""
    _, x, y = window.get_window().get_origin()
    size = window.get_allocation()
    say("READY", x + size.width // 2, y + size.height // 2)
    return GLib.SOURCE_REMOVE


def main():
    options = arguments()
    uris = [path.absolute().as_uri() for path in options.paths]

    window = Gtk.Window(title="Drag source")
    # A utility window without a frame: it takes no focus from the window under test, and stays above it.
    window.set_type_hint(Gdk.WindowTypeHint.UTILITY)
    window.set_decorated(False)
    window.set_keep_above(True)
    window.set_accept_focus(False)
    window.set_skip_taskbar_hint(True)
    window.set_default_size(WIDTH, HEIGHT)
    window.move(*options.at)

    box = Gtk.EventBox()
    box.add(Gtk.Label(label=f"{len(uris)} to drag"))
    box.drag_source_set(
        Gdk.ModifierType.BUTTON1_MASK,
        [Gtk.TargetEntry.new("text/uri-list", 0, 0)],
        Gdk.DragAction.COPY | Gdk.DragAction.MOVE,
    )

    def give(_widget, _context, data, _info, _time):
        data.set_uris(uris)
        say("SENT")

    def failed(_widget, _context, result):
        say("FAILED", result.value_nick)
        state["failed"] = True
        return True  # without the animation of the icon that flies back

    def begun(_widget, _context):
        state["failed"] = False
        say("BEGIN")

    def ended(_widget, _context):
        if not state["failed"]:
            say("END")

    state = {"failed": False}
    box.connect("drag-begin", begun)
    box.connect("drag-data-get", give)
    box.connect("drag-failed", failed)
    box.connect("drag-end", ended)
    window.add(box)
    window.connect("destroy", Gtk.main_quit)
    window.connect("map-event", lambda *_: GLib.timeout_add(200, ready, window) and False)
    window.show_all()

    if not sys.stdin.isatty():
        # A test that dies closes the pipe; this window does not stay behind.
        GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, Gtk.main_quit)
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, Gtk.main_quit)
    Gtk.main()


if __name__ == "__main__":
    main()
