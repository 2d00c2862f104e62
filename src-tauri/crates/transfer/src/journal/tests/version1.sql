-- A journal of version 1, as it was when it was given out. This file is never changed.
PRAGMA page_size = 4096;
PRAGMA journal_mode = WAL;
CREATE TABLE sites (id INTEGER PRIMARY KEY, key TEXT NOT NULL);
CREATE TABLE options (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    parent INTEGER NOT NULL,
    site INTEGER NOT NULL,
    options INTEGER NOT NULL,
    state INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    place INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    size INTEGER,
    modified INTEGER,
    bytes INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    start_at INTEGER,
    name BLOB NOT NULL,
    local BLOB,
    detail TEXT
);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE receipts (number INTEGER PRIMARY KEY, item INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE inbox (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL);
INSERT INTO sites VALUES (1, 'ftp://anna@example.org');
INSERT INTO options VALUES (1, '{}');
INSERT INTO settings VALUES ('limit', '1024');
INSERT INTO items VALUES
    (1, 0, 1, 1, 3, 5, -1, 10, 0, NULL, NULL, 0, 0, NULL, CAST('/pub' AS BLOB), CAST('/home/anna/pub' AS BLOB), NULL),
    (2, 1, 1, 1, 1, 0, 0, 20, 1, 300, 1700000000000000000, 100, 2, 1700000000000, x'61ff2e747874', NULL, '{"a":1}');
INSERT INTO receipts VALUES (1, 7, '{"id":7,"site":"ftp://anna@example.org","direction":"download","source":"/pub/b","target":"/home/anna/b","bytes":5,"resumed_from":0,"finished":"2023-11-14T22:13:20Z","seconds":0.25,"attempts":1,"checks":{"reply":true,"size":true},"digest":null}');
INSERT INTO inbox (kind, body) VALUES ('pause', '{"ids":[2]}');
PRAGMA application_id = 1397510231;
PRAGMA user_version = 1;
