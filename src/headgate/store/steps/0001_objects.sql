CREATE TABLE revisions (id INTEGER PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO revisions (id, value) VALUES (1, 0);
CREATE TABLE objects (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    changed DOUBLE PRECISION NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE TABLE audit (
    revision BIGINT NOT NULL,
    number BIGINT NOT NULL,
    time DOUBLE PRECISION NOT NULL,
    actor TEXT NOT NULL,
    address TEXT,
    request TEXT,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (revision, number)
);
CREATE INDEX audit_by_object ON audit (kind, name, revision);
CREATE TABLE answers (
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    status BIGINT NOT NULL,
    body TEXT NOT NULL,
    expires DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (actor, key)
)
